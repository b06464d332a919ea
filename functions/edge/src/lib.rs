//! The edge: what belongs to no service. It answers what no route answers
//! ([`api::reject_unknown_route`]) and says how the shop's parts are
//! ([`api::health`]).
//!
//! It owns no table and reads nothing of anybody's. The authorizer and the
//! public keys, which one might look for here, are the users service's:
//! sessions and keys are its own.

pub mod api;
pub mod domain;

use runtime::Function;

/// Every function of the edge.
pub fn functions() -> Vec<Function> {
    vec![
        api::health::function(),
        api::reject_unknown_route::function(),
    ]
}
