//! Limits on goods held without being paid: how many orders may be open at a
//! time, and how long to wait after declined payments. Both are counted by
//! person, by payment method and by address, because each is cheap to change
//! without the others.

use std::collections::BTreeSet;

use kernel::{OrderId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::PaymentMethod;

/// After this time an unfinished order no longer counts. Goods are reserved for
/// fifteen minutes, and the event that ends the order takes a little longer.
const OPEN_PERIOD: SignedDuration = SignedDuration::from_mins(20);
/// Declined payments count for this long.
pub const DECLINE_PERIOD: SignedDuration = SignedDuration::from_hours(24);
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

    /// How long to wait because of declined payments; `None` if not at all.
    fn delay(&self, policy: &HoldPolicy, now: Timestamp) -> Option<SignedDuration> {
        let since = counts_since(now);
        let times = self.declined.iter().map(|entry| time_of(entry));
        let times: Vec<i64> = times.filter(|at| *at > since).collect();
        let last = times.iter().max()?;
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let doublings = count.checked_sub(policy.declines_free + 1)?;
        let delay = DELAY_FIRST.as_millis() << doublings.min(16);
        let delay = i64::try_from(delay.min(policy.delay_max.as_millis())).unwrap_or(i64::MAX);
        let left = last.saturating_add(delay) - now.as_millisecond();
        (left > 0).then(|| SignedDuration::from_millis(left))
    }

    /// Whether declined payments keep the holder from opening another order.
    pub fn refusal(
        &self,
        dimension: Dimension,
        policy: &HoldPolicy,
        now: Timestamp,
    ) -> Option<HoldRefusal> {
        Some(HoldRefusal {
            reason: RefusalReason::DeclinedPayments,
            dimension,
            retry_after: self.delay(policy, now)?,
        })
    }
}

impl HoldRefusal {
    pub const fn too_many_open(dimension: Dimension) -> Self {
        Self {
            reason: RefusalReason::OpenOrders,
            dimension,
            retry_after: RETRY_AFTER_OPEN,
        }
    }

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

fn counts_since(now: Timestamp) -> i64 {
    let since = now.saturating_sub(DECLINE_PERIOD);
    since.unwrap_or(Timestamp::MIN).as_millisecond()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        NOW + SignedDuration::from_secs(seconds)
    }

    fn declines(count: u32) -> HoldRecord {
        let decline = |n: u32| {
            let order_id = Uuid::from_u128(n.into()).into();
            Entry::at(order_id, after(i64::from(n))).to_string()
        };
        HoldRecord {
            declined: (0..count).map(decline).collect(),
            ..HoldRecord::default()
        }
    }

    #[test]
    fn removing_surplus_declines_changes_no_delay() {
        for dimension in [
            Dimension::Person,
            Dimension::PaymentMethod,
            Dimension::Address,
        ] {
            let policy = dimension.policy(20);
            for count in [61, 100, 5_000] {
                let mut record = declines(count);
                let now = after(i64::from(count));
                let before = record.delay(&policy, now);
                for entry in record.surplus_declines() {
                    record.declined.remove(&entry);
                }
                assert_eq!(record.declined.len(), DECLINES_KEPT);
                assert_eq!(record.delay(&policy, now), before, "{dimension:?}");
                assert_eq!(before.map(|delay| delay.as_secs()), {
                    Some(policy.delay_max.as_secs() - 1)
                });
            }
        }
        assert!(declines(60).surplus_declines().is_empty());
    }

    #[test]
    fn only_entries_of_the_same_order_are_superseded() {
        let entry = |order: u128, seconds| {
            Entry::open(Uuid::from_u128(order).into(), after(seconds)).to_string()
        };
        let record = HoldRecord {
            open: [entry(1, 0), entry(1, 5), entry(2, 0)].into(),
            ..HoldRecord::default()
        };
        assert_eq!(record.superseded(&entry(1, 5)), [entry(1, 0)]);
        assert_eq!(record.superseded(&entry(3, 5)), [""; 0]);
    }

    #[test]
    fn no_setting_lets_a_record_outgrow_its_item() {
        for dimension in [
            Dimension::Person,
            Dimension::PaymentMethod,
            Dimension::Address,
        ] {
            let policy = dimension.policy(u32::MAX);
            let entry = Entry::open(Uuid::max().into(), Timestamp::MAX).to_string();
            let most = usize::try_from(policy.open_max).unwrap();
            assert!((most + DECLINES_MAX) * entry.len() < 300_000);
        }
    }
}
