//! The events that travel between the three services, by what they say about the
//! one order of a chain.

use std::fmt;

/// An event of an order. There is one of each kind at most, so a kind identifies
/// an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    OrderPlaced,
    OrderAuthorized,
    OrderCommitted,
    OrderConfirmed,
    OrderCancelled,
    OrderPaymentFailed,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentVoided,
    StockCommitted,
    StockCommitRejected,
    StockReleased,
    ReservationExpired,
}

/// A service that acts on events of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    Orders,
    Catalog,
    Payments,
}

/// A set of events.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Kinds(u16);

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::OrderPlaced,
        Self::OrderAuthorized,
        Self::OrderCommitted,
        Self::OrderConfirmed,
        Self::OrderCancelled,
        Self::OrderPaymentFailed,
        Self::PaymentAuthorized,
        Self::PaymentDeclined,
        Self::PaymentCaptured,
        Self::PaymentCaptureFailed,
        Self::PaymentVoided,
        Self::StockCommitted,
        Self::StockCommitRejected,
        Self::StockReleased,
        Self::ReservationExpired,
    ];

    /// Who has subscribed to it (`template.yaml`); notifications do not matter here.
    pub const fn consumers(self) -> &'static [Consumer] {
        match self {
            Self::OrderPlaced | Self::OrderCommitted => &[Consumer::Payments],
            Self::OrderAuthorized => &[Consumer::Catalog],
            Self::OrderCancelled | Self::OrderPaymentFailed => {
                &[Consumer::Catalog, Consumer::Payments]
            }
            Self::OrderConfirmed | Self::PaymentVoided | Self::StockReleased => &[],
            Self::PaymentAuthorized
            | Self::PaymentDeclined
            | Self::PaymentCaptured
            | Self::PaymentCaptureFailed
            | Self::StockCommitted
            | Self::StockCommitRejected
            | Self::ReservationExpired => &[Consumer::Orders],
        }
    }
}

impl Kinds {
    pub(crate) const fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub(crate) const fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    pub(crate) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
