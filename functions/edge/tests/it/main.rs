//! The edge's functions, invoked as API Gateway invokes them.

mod health;
mod reject_unknown_route;
mod sample_events;
