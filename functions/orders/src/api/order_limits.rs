//! What keeps people from holding goods that they do not pay for.

use dynamo::{Attempts, RateLimit, StoreError};
use futures_util::future::join_all;
use kernel::{OrderId, SignedDuration, Timestamp, UserId};
use runtime::{Environment, Error, Random, http::SourceIp};

use crate::{
    domain::{Entry, HoldRecord, HoldRefusal, PaymentMethod, Standing, holders, refusal},
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
    /// Whether the buyer has proven the account's address.
    pub(super) is_verified: bool,
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
    ///
    /// An entry of an earlier attempt at the order is replaced only when the order
    /// is admitted: its goods may be reserved, and are counted by nothing else.
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
        let standings: Result<Vec<Standing>, _> = join_all(each).await.into_iter().collect();
        let admitted = standings
            .map_err(LimitError::from)
            .and_then(|standings| self.admit(placement, standings, now));
        let standings = match admitted {
            Ok(standings) => standings,
            Err(error) => {
                close(orders, &hold).await?;
                return Err(error);
            }
        };
        replace_earlier(orders, &hold, &standings).await?;
        Ok(hold)
    }

    fn admit(
        &self,
        placement: &Placement<'_>,
        standings: Vec<Standing>,
        now: Timestamp,
    ) -> Result<Vec<Standing>, LimitError> {
        let most = self.open_per_person;
        match refusal(&standings, placement.is_verified, most, now) {
            None => Ok(standings),
            Some(refusal) => {
                metrics::record_refused(refusal.label());
                Err(LimitError::Hold(refusal))
            }
        }
    }

    /// Counts an open order for a holder, if there is room.
    async fn open_for(
        &self,
        orders: &OrderStore,
        holder: &HolderKey,
        entry: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Standing, StoreError> {
        let dimension = holder.dimension;
        let open_max = dimension.policy(self.open_per_person).open_max;
        let standing = |record, is_full| Standing {
            dimension,
            record,
            is_full,
        };
        let mut latest = HoldRecord::default();
        let mut attempts = Attempts::new(random);
        while attempts.next().await {
            let earlier = latest.superseded(entry).pop();
            let opened = orders.open_hold(holder, entry, earlier.as_deref(), open_max, now);
            latest = match opened.await? {
                OpenOutcome::Opened(record) => return Ok(standing(record, false)),
                OpenOutcome::Full(record) => record,
            };
            let expired = latest.expired(now);
            if !expired.is_empty() {
                orders.close_holds(holder, expired).await?;
            } else if latest.superseded(entry).is_empty() {
                break;
            }
        }
        Ok(standing(latest, true))
    }
}

/// Removes the entries of earlier attempts at the order: it counts once.
async fn replace_earlier(
    orders: &OrderStore,
    hold: &Hold,
    standings: &[Standing],
) -> Result<(), StoreError> {
    let each = hold.holders.iter().zip(standings);
    let each = each.map(|(holder, standing)| async {
        let earlier = standing.record.superseded(&hold.entry);
        // Where there was no room for the new entry, the earlier one has to do.
        if earlier.is_empty() || standing.is_full {
            return Ok(());
        }
        orders.close_holds(holder, earlier).await
    });
    join_all(each).await.into_iter().collect()
}

/// Counts an order no longer: it reserved nothing.
pub(super) async fn close(orders: &OrderStore, hold: &Hold) -> Result<(), StoreError> {
    let each = hold.holders.iter();
    let each = each.map(|holder| orders.close_holds(holder, vec![hold.entry.clone()]));
    join_all(each).await.into_iter().collect()
}
