//! Ids that AWS would generate.

/// The id of a request, an invocation or a scheduled event.
pub(crate) fn request_id() -> String {
    runtime::Random::system().uuid().to_string()
}
