//! Ids that AWS would generate.

use uuid::Uuid;

/// The id of a request, an invocation or a scheduled event.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}
