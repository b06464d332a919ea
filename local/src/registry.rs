//! The functions of all services.

use runtime::Function;

/// Every function of every service.
pub fn functions() -> Vec<Function> {
    [
        edge::functions(),
        users::functions(),
        catalog::functions(),
        orders::functions(),
        payments::functions(),
        notifications::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
