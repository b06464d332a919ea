//! Who holds goods without having paid for them.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | the open orders and declined payments of a person, payment method or address | `HOLDER#<dimension>#<hash>` | `HOLDER` |
//!
//! Each change adds to a set or removes from it, so that one that is repeated
//! changes nothing, and none needs a transaction.

use std::collections::BTreeSet;

use dynamo::{CommitError, Expression, Key, StoreError, hash_key};
use kernel::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::OrderStore;
use crate::domain::{DECLINE_PERIOD, Dimension, Entry, HoldRecord, Holder};

/// A holder as it is stored: without what identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderKey {
    pub dimension: Dimension,
    hash: String,
}

/// For whom an open order counts, and under which entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub entry: String,
    pub holders: Vec<HolderKey>,
}

#[derive(Default, Deserialize)]
struct HoldItem {
    #[serde(default, with = "serde_dynamo::string_set")]
    open: BTreeSet<String>,
    #[serde(default, with = "serde_dynamo::string_set")]
    declined: BTreeSet<String>,
}

impl From<HoldItem> for HoldRecord {
    fn from(item: HoldItem) -> Self {
        Self {
            open: item.open,
            declined: item.declined,
        }
    }
}

#[derive(Clone, Debug)]
pub enum OpenOutcome {
    Opened(HoldRecord),
    /// The holder has as many open orders as it may have.
    Full(HoldRecord),
}

impl From<&Holder> for HolderKey {
    fn from(holder: &Holder) -> Self {
        Self {
            dimension: holder.dimension,
            hash: hash_key(&holder.identity),
        }
    }
}

impl HolderKey {
    fn key(&self) -> Key {
        let dimension = self.dimension.as_str();
        Key::new(format!("HOLDER#{dimension}#{}", self.hash), "HOLDER")
    }
}

impl OrderStore {
    /// Counts an open order, if there are fewer than `most`, or if `earlier` is
    /// among them: an entry of the same order, which is to be removed afterwards.
    pub async fn open_hold(
        &self,
        holder: &HolderKey,
        entry: &str,
        earlier: Option<&str>,
        most: u32,
        now: Timestamp,
    ) -> Result<OpenOutcome, StoreError> {
        let open = Expression::update("SET expires_at = :expires ADD #open :entry")
            .only_when(
                "attribute_not_exists(#open) OR size(#open) < :most OR contains(#open, :same)",
            )
            .name("#open", "open")
            .string_set(":entry", vec![entry.to_owned()])
            .value(":same", earlier.unwrap_or(entry))
            .value(":most", most)
            .value(":expires", expires_at(now));
        match self.table.update::<HoldItem>(holder.key(), open).await {
            Ok(item) => Ok(OpenOutcome::Opened(item.into())),
            Err(CommitError::ConditionFailed(failed)) => {
                let item: Option<HoldItem> = failed.item("item")?;
                Ok(OpenOutcome::Full(item.unwrap_or_default().into()))
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Removes open orders of a holder.
    pub async fn close_holds(
        &self,
        holder: &HolderKey,
        entries: Vec<String>,
    ) -> Result<(), StoreError> {
        self.remove(holder, "open", entries).await
    }

    /// Turns an open order of a holder into a declined payment.
    pub async fn decline_hold(
        &self,
        holder: &HolderKey,
        entry: &str,
        declined: Entry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let decline = Expression::update(
            "SET expires_at = :expires ADD declined :declined DELETE #open :entry",
        )
        .name("#open", "open")
        .string_set(":entry", vec![entry.to_owned()])
        .string_set(":declined", vec![declined.to_string()])
        .value(":expires", expires_at(now));
        let updated = self.table.update::<HoldItem>(holder.key(), decline).await;
        let record = match updated {
            Ok(item) => HoldRecord::from(item),
            Err(CommitError::ConditionFailed(_)) => return Ok(()),
            Err(CommitError::Store(error)) => return Err(error),
        };
        let surplus = record.surplus_declines();
        if surplus.is_empty() {
            return Ok(());
        }
        self.remove(holder, "declined", surplus).await
    }

    async fn remove(
        &self,
        holder: &HolderKey,
        set: &str,
        entries: Vec<String>,
    ) -> Result<(), StoreError> {
        let remove = Expression::update("DELETE #set :entries")
            .only_when("attribute_exists(pk)")
            .name("#set", set)
            .string_set(":entries", entries);
        match self.table.update::<IgnoredAny>(holder.key(), remove).await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

/// When nothing in the record counts any longer.
fn expires_at(now: Timestamp) -> i64 {
    let expires = now.saturating_add(DECLINE_PERIOD);
    expires.unwrap_or(Timestamp::MAX).as_second() + 3600
}
