//! What keeps people from holding goods that they do not pay for.

use dynamo::{Attempts, RateLimit, StoreError};
use futures_util::future::join_all;
use kernel::{OrderId, SignedDuration, Timestamp, UserId};
use runtime::{Environment, Error, Random, http::SourceIp};

use crate::{
    domain::{Entry, HoldRefusal, PaymentMethod, holders},
    metrics,
    store::{Hold, HolderKey, OpenOutcome, OrderStore},
};

/// Requests of a person, unless `ORDERS_PER_MINUTE` is set.
const PER_MINUTE_DEFAULT: u32 = 60;
/// Open orders of a person, unless `OPEN_ORDERS_PER_PERSON` is set: more than
/// anybody pays for at a time, and few enough to leave a shelf to others.
const OPEN_PER_PERSON_DEFAULT: u32 = 20;

#[derive(Clone, Copy, Debug)]
pub(super) struct OrderLimits {
    per_minute: u32,
    open_per_person: u32,
}

/// Who places an order, and how.
pub(super) struct Placement<'a> {
    pub(super) user_id: UserId,
    pub(super) method: &'a PaymentMethod,
    pub(super) ip: SourceIp,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum LimitError {
    #[error("too many requests")]
    Placement { retry_after_seconds: u32 },
    #[error("refused: {}", .0.label())]
    Hold(HoldRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OrderLimits {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let number = |name, default| environment.parse_or(name, default, "a whole number");
        Ok(Self {
            per_minute: number("ORDERS_PER_MINUTE", PER_MINUTE_DEFAULT)?,
            open_per_person: number("OPEN_ORDERS_PER_PERSON", OPEN_PER_PERSON_DEFAULT)?,
        })
    }

    /// Counts a request, whatever becomes of it: a repeated one costs as much.
    pub(super) async fn count_request(
        &self,
        orders: &OrderStore,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<(), LimitError> {
        let limit = RateLimit {
            name: "orders",
            requests: self.per_minute,
            window: SignedDuration::from_mins(1),
        };
        let quota = orders.count_request(&limit, user_id, now).await?;
        if quota.allowed {
            return Ok(());
        }
        metrics::record_refused("placement");
        Err(LimitError::Placement {
            retry_after_seconds: quota.reset_seconds,
        })
    }

    /// Counts an open order before its goods are reserved, for all whom it
    /// counts for or for none.
    pub(super) async fn open(
        &self,
        orders: &OrderStore,
        order_id: OrderId,
        placement: &Placement<'_>,
        now: Timestamp,
        random: &Random,
    ) -> Result<Hold, LimitError> {
        let network = placement.ip.network();
        let holders = holders(placement.user_id, placement.method, network);
        let hold = Hold {
            entry: Entry::open(order_id, now).to_string(),
            holders: holders.iter().map(HolderKey::from).collect(),
        };
        let each = hold.holders.iter();
        let each = each.map(|holder| self.open_for(orders, holder, &hold.entry, now, random));
        let refused = join_all(each).await.into_iter().find_map(Result::err);
        let Some(refused) = refused else {
            return Ok(hold);
        };
        close(orders, &hold).await?;
        if let LimitError::Hold(refusal) = &refused {
            metrics::record_refused(refusal.label());
        }
        Err(refused)
    }

    async fn open_for(
        &self,
        orders: &OrderStore,
        holder: &HolderKey,
        entry: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<(), LimitError> {
        let dimension = holder.dimension;
        let policy = dimension.policy(self.open_per_person);
        let mut attempts = Attempts::new(random);
        while attempts.next().await {
            let opened = orders
                .open_hold(holder, entry, policy.open_max, now)
                .await?;
            let record = match opened {
                OpenOutcome::Opened(record) => {
                    let superseded = record.superseded(entry);
                    if !superseded.is_empty() {
                        orders.close_holds(holder, superseded).await?;
                    }
                    let refusal = record.refusal(dimension, &policy, now);
                    return refusal.map_or(Ok(()), |refusal| Err(LimitError::Hold(refusal)));
                }
                OpenOutcome::Full(record) => record,
            };
            let mut uncounted = record.expired(now);
            uncounted.extend(record.superseded(entry));
            if uncounted.is_empty() {
                let refusal = record.refusal(dimension, &policy, now);
                let full = HoldRefusal::too_many_open(dimension);
                return Err(LimitError::Hold(refusal.unwrap_or(full)));
            }
            orders.close_holds(holder, uncounted).await?;
        }
        Err(LimitError::Hold(HoldRefusal::too_many_open(dimension)))
    }
}

/// Counts an order no longer: it reserved nothing.
pub(super) async fn close(orders: &OrderStore, hold: &Hold) -> Result<(), StoreError> {
    let each = hold.holders.iter();
    let each = each.map(|holder| orders.close_holds(holder, vec![hold.entry.clone()]));
    join_all(each).await.into_iter().collect()
}
