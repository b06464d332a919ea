//! Limits on goods held without being paid: how many orders may be open at a
//! time, and how long to wait after declined payments. Both are counted by
//! person, by payment method and by address, because each is cheap to change
//! without the others. An address is shared, so what others did there stops only
//! those who have given no sign of being somebody else, see [`refusal`].

use std::collections::BTreeSet;

use kernel::{OrderId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::PaymentMethod;

/// After this time an unfinished order no longer counts. Goods are reserved for
/// fifteen minutes, and the event that ends the order takes a little longer.
const OPEN_PERIOD: SignedDuration = SignedDuration::from_mins(20);
/// Declined payments of a person or payment method count for this long.
pub const DECLINE_PERIOD: SignedDuration = SignedDuration::from_hours(24);
/// Those of an address: whoever caused them may not be there any more.
const ADDRESS_DECLINE_PERIOD: SignedDuration = SignedDuration::from_hours(1);
/// The first delay; it doubles with each further decline.
const DELAY_FIRST: SignedDuration = SignedDuration::from_mins(1);
/// Most open orders end within seconds, so it is worth trying again soon.
const RETRY_AFTER_OPEN: SignedDuration = SignedDuration::from_mins(1);
/// How many persons may share an address, such as that of an office.
const PERSONS_PER_ADDRESS: u32 = 10;
/// Entries of some 50 bytes each that fit into an item (400 KB) with room to spare.
const OPEN_MAX: u32 = 5_000;
/// The newest declines of a holder: no policy's delay grows beyond them.
const DECLINES_KEPT: usize = 30;
/// Declines that a holder may have before all but the newest are removed, so
/// that not every decline costs a second write.
const DECLINES_MAX: usize = 60;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    Person,
    PaymentMethod,
    Address,
}

/// One person, payment method or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub dimension: Dimension,
    /// Identifies it within its dimension; stored as a hash only.
    pub identity: String,
}

/// What a dimension allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldPolicy {
    pub open_max: u32,
    /// How long declines count.
    decline_period: SignedDuration,
    /// Declines up to which there is no delay.
    declines_free: u32,
    delay_max: SignedDuration,
}

/// The open orders and declined payments of a holder, as [`Entry`] texts.
#[derive(Clone, Debug, Default)]
pub struct HoldRecord {
    pub open: BTreeSet<String>,
    pub declined: BTreeSet<String>,
}

/// What a record says when an order is counted in it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub dimension: Dimension,
    pub record: HoldRecord,
    /// Whether there was no room for the order.
    pub is_full: bool,
}

/// An order and a time. As text in a set, so that writing it twice is writing it
/// once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    order_id: OrderId,
    at_ms: i64,
}

/// Why a holder may not open another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRefusal {
    pub reason: RefusalReason,
    pub dimension: Dimension,
    pub retry_after: SignedDuration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    OpenOrders,
    DeclinedPayments,
}

impl Dimension {
    /// The prefix of its keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::PaymentMethod => "payment_method",
            Self::Address => "address",
        }
    }

    /// `open_per_person` is the shop's setting; the other limits follow from it.
    pub const fn policy(self, open_per_person: u32) -> HoldPolicy {
        match self {
            Self::Person | Self::PaymentMethod => HoldPolicy {
                open_max: at_most(open_per_person, OPEN_MAX),
                decline_period: DECLINE_PERIOD,
                declines_free: 4,
                delay_max: SignedDuration::from_hours(1),
            },
            // Slower to act and sooner to forgive: most who share an address
            // have nothing to do with each other.
            Self::Address => HoldPolicy {
                open_max: at_most(
                    open_per_person.saturating_mul(PERSONS_PER_ADDRESS),
                    OPEN_MAX,
                ),
                decline_period: ADDRESS_DECLINE_PERIOD,
                declines_free: 19,
                delay_max: SignedDuration::from_mins(15),
            },
        }
    }
}

/// Whom an order counts for. Providers' test tokens (`pm_card_…`) belong to
/// nobody, so one counts for each person apart.
pub fn holders(user_id: UserId, method: &PaymentMethod, network: Option<String>) -> Vec<Holder> {
    let token = method.as_str();
    let method = if token.starts_with("pm_card_") {
        format!("{user_id}#{token}")
    } else {
        token.to_owned()
    };
    let person = Holder {
        dimension: Dimension::Person,
        identity: user_id.to_string(),
    };
    let method = Holder {
        dimension: Dimension::PaymentMethod,
        identity: method,
    };
    let address = network.map(|identity| Holder {
        dimension: Dimension::Address,
        identity,
    });
    [Some(person), Some(method), address]
        .into_iter()
        .flatten()
        .collect()
}

impl Entry {
    /// The order, open until its goods cannot be reserved any longer.
    pub fn open(order_id: OrderId, now: Timestamp) -> Self {
        let until = now.saturating_add(OPEN_PERIOD).unwrap_or(Timestamp::MAX);
        Self::at(order_id, until)
    }

    /// The order, whose payment was declined.
    pub fn at(order_id: OrderId, at: Timestamp) -> Self {
        Self {
            order_id,
            at_ms: at.as_millisecond(),
        }
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.order_id, self.at_ms)
    }
}

/// The time of an entry; one that cannot be read counts as long past.
fn time_of(entry: &str) -> i64 {
    let time = entry.rsplit_once('@').and_then(|(_, at)| at.parse().ok());
    time.unwrap_or(i64::MIN)
}

/// The order of an entry, as text.
fn order_of(entry: &str) -> Option<&str> {
    entry.rsplit_once('@').map(|(order_id, _)| order_id)
}

const fn at_most(number: u32, most: u32) -> u32 {
    if number < most { number } else { most }
}

impl HoldRecord {
    /// Open orders that count no longer.
    pub fn expired(&self, now: Timestamp) -> Vec<String> {
        let now = now.as_millisecond();
        let expired = self.open.iter().filter(|entry| time_of(entry) <= now);
        expired.cloned().collect()
    }

    /// Entries of earlier attempts to place an order, which `current` replaces: a
    /// repeated request is still one order.
    pub fn superseded(&self, current: &str) -> Vec<String> {
        let order_id = order_of(current);
        let earlier = self.open.iter();
        let earlier = earlier.filter(|entry| *entry != current && order_of(entry) == order_id);
        earlier.cloned().collect()
    }

    /// Declined payments that make no difference, once there are many: an address
    /// could otherwise collect more of them in a day than an item can hold.
    pub fn surplus_declines(&self) -> Vec<String> {
        if self.declined.len() <= DECLINES_MAX {
            return Vec::new();
        }
        let mut entries: Vec<&String> = self.declined.iter().collect();
        entries.sort_by_key(|entry| time_of(entry));
        entries.truncate(entries.len() - DECLINES_KEPT);
        entries.into_iter().cloned().collect()
    }

    /// The times of the declined payments that count, if they do for `period`.
    fn declines(&self, period: SignedDuration, now: Timestamp) -> Vec<i64> {
        let since = now.saturating_sub(period);
        let since = since.unwrap_or(Timestamp::MIN).as_millisecond();
        let times = self.declined.iter().map(|entry| time_of(entry));
        times.filter(|at| *at > since).collect()
    }

    /// How long to wait because of declined payments; `None` if not at all.
    fn delay(&self, policy: &HoldPolicy, now: Timestamp) -> Option<SignedDuration> {
        let times = self.declines(policy.decline_period, now);
        let last = times.iter().max()?;
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let doublings = count.checked_sub(policy.declines_free + 1)?;
        let delay = DELAY_FIRST.as_millis() << doublings.min(16);
        let delay = i64::try_from(delay.min(policy.delay_max.as_millis())).unwrap_or(i64::MAX);
        let left = last.saturating_add(delay) - now.as_millisecond();
        (left > 0).then(|| SignedDuration::from_millis(left))
    }
}

impl Standing {
    /// Whether the holder may not open the order: because of declined payments,
    /// or of too many open orders.
    fn refusal(&self, open_per_person: u32, now: Timestamp) -> Option<HoldRefusal> {
        let dimension = self.dimension;
        let refusal = |reason, retry_after| HoldRefusal {
            reason,
            dimension,
            retry_after,
        };
        let delay = self.record.delay(&dimension.policy(open_per_person), now);
        let declined = delay.map(|delay| refusal(RefusalReason::DeclinedPayments, delay));
        let is_full = self.is_full;
        declined.or_else(|| is_full.then(|| refusal(RefusalReason::OpenOrders, RETRY_AFTER_OPEN)))
    }
}

/// Why an order may not be opened, given how all stand whom it counts for.
///
/// One person could otherwise close an office or a carrier's address to everybody
/// in it: a buyer who has proven the account's address and has no declined
/// payment is not refused because of others at the address.
pub fn refusal(
    standings: &[Standing],
    is_verified: bool,
    open_per_person: u32,
    now: Timestamp,
) -> Option<HoldRefusal> {
    let mut persons = standings.iter();
    let person = persons.find(|standing| standing.dimension == Dimension::Person);
    let has_declines =
        person.is_none_or(|person| !person.record.declines(DECLINE_PERIOD, now).is_empty());
    let answers_for_address = !is_verified || has_declines;
    let mut counted = standings
        .iter()
        .filter(|standing| answers_for_address || standing.dimension != Dimension::Address);
    counted.find_map(|standing| standing.refusal(open_per_person, now))
}

impl HoldRefusal {
    /// The value of the metric's label.
    pub const fn label(&self) -> &'static str {
        use Dimension::{Address, PaymentMethod, Person};
        match (self.reason, self.dimension) {
            (RefusalReason::OpenOrders, Person) => "open_person",
            (RefusalReason::OpenOrders, PaymentMethod) => "open_payment_method",
            (RefusalReason::OpenOrders, Address) => "open_address",
            (RefusalReason::DeclinedPayments, Person) => "declined_person",
            (RefusalReason::DeclinedPayments, PaymentMethod) => "declined_payment_method",
            (RefusalReason::DeclinedPayments, Address) => "declined_address",
        }
    }

    /// In seconds, rounded up.
    pub fn retry_after_seconds(&self) -> u32 {
        u32::try_from((self.retry_after.as_millis() + 999) / 1000).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
