//! The client's name for one intention.

/// What a client calls one intention, so that a request sent again is the same
/// request: the value of `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key, in bytes. A UUID has 36.
    pub const LENGTH_MAX: usize = 255;

    /// A key of 1 to 255 bytes, without the white space around it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (1..=Self::LENGTH_MAX)
            .contains(&text.len())
            .then(|| Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
