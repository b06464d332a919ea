//! The code of all functions, as the services list it.

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
