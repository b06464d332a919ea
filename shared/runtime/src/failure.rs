//! Failures that are nobody's input.

/// A failure that the caller can do nothing about: something that the function
/// needs does not work. Over HTTP it becomes 503 or 500, and the error with its
/// sources goes to the log.
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// Whether trying again would fail the same way, because it is a defect of
    /// ours (500) and no outage (503).
    fn is_defect(&self) -> bool;
}
