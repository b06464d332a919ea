//! Values that no earlier run has used.

use uuid::Uuid;

/// A random id: a shop under test may hold the data of earlier runs.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a function, and the same values again would clash with earlier runs"
)]
pub fn unique() -> Uuid {
    Uuid::new_v4()
}
