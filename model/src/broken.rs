//! The safeguards that can be taken out, to see that the search notices.

/// A safeguard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// `settle-reservations` does not recognise an event that it has handled.
    Deduplication,
    /// An event that is not published at the first attempt is lost.
    OutboxSweep,
    /// Nothing ends a reservation whose hold period is over.
    Expiry,
    /// `expire-reservations` writes without the condition that the reservation is
    /// what it read.
    ExpiryCondition,
    /// The provider is asked for an authorisation before a payment is recorded.
    PendingRecord,
    /// Each call to the provider has a new idempotency key.
    ProviderKey,
    /// Payments captures as soon as the order is authorised.
    CaptureAfterSale,
    /// A failed capture leaves its authorisation standing.
    ReleaseAfterFailedCapture,
    /// An order can be cancelled by hand although its goods are sold.
    CancelBeforeSale,
}

impl Broken {
    pub const ALL: [Self; 9] = [
        Self::Deduplication,
        Self::OutboxSweep,
        Self::Expiry,
        Self::ExpiryCondition,
        Self::PendingRecord,
        Self::ProviderKey,
        Self::CaptureAfterSale,
        Self::ReleaseAfterFailedCapture,
        Self::CancelBeforeSale,
    ];
}
