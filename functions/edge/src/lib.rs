//! What belongs to no service: the reply to requests that match no route
//! ([`api::reject_unknown_route`]) and the health of the shop's dependencies
//! ([`api::health`]).
//!
//! It has no table. The authorizer and the public keys belong to the users
//! service, which has the sessions and the keys.

pub mod api;
pub mod domain;
mod health_checker;

use runtime::Function;

/// Every function of the edge.
pub fn functions() -> Vec<Function> {
    vec![
        api::health::function(),
        api::reject_unknown_route::function(),
    ]
}
