//! The sweep: publishes what the stream did not.

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use runtime::Error;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{Relay, Report, UnreadableItems, publisher::Pending, read};
use crate::{
    Item, Key, Query, StoreError, UNSENT_INDEX,
    outbox::{SWEEP_AFTER, UNSENT_SHARDS},
};

/// How long a sweep goes on while there is something to publish. A relay has
/// 60 s; what has begun by then ends within two calls of 3 s each.
const SWEEP_TIME: SignedDuration = SignedDuration::from_secs(45);
/// Events that one shard reads at a time: the keys of a BatchGetItem.
const PAGE_EVENTS: usize = 100;
/// Shards that read at a time. Most sweeps find nothing, and each connection
/// that is opened for one costs more than the read.
const READS_AT_ONCE: usize = 4;

#[derive(Deserialize, Serialize)]
struct UnsentKey {
    pk: String,
    sk: String,
}

/// What a sweep has in common for all shards.
struct Round {
    /// Events from before this time are due.
    before: Timestamp,
    ends_at: Timestamp,
    reads: Semaphore,
}

impl Relay {
    /// Publishes what has waited too long, oldest first in each shard; the next
    /// sweep finds what failed. All shards go on at the same time, so that none
    /// waits until another is empty.
    pub(super) async fn sweep(&self) -> (Report, Option<Error>) {
        let now = self.clock.now();
        let round = Round {
            before: self.ago(SWEEP_AFTER),
            ends_at: now.saturating_add(SWEEP_TIME).unwrap_or(Timestamp::MAX),
            reads: Semaphore::new(READS_AT_ONCE),
        };
        let shards: Vec<_> = stream::iter(0..UNSENT_SHARDS)
            .map(|shard| self.sweep_shard(shard, &round))
            .buffer_unordered(UNSENT_SHARDS.into())
            .collect()
            .await;
        let (mut report, mut error) = (Report::default(), None);
        for (shard, failure) in shards {
            report.sent += shard.sent;
            report.failed.extend(shard.failed);
            report.unreadable += shard.unreadable;
            report.correlation_ids.extend(shard.correlation_ids);
            error = error.or(failure.map(Error::from));
        }
        if error.is_none() && report.unreadable > 0 {
            error = Some(UnreadableItems(report.unreadable).into());
        }
        (report, error)
    }

    async fn sweep_shard(&self, shard: u8, round: &Round) -> (Report, Option<StoreError>) {
        let (mut report, mut after) = (Report::default(), None);
        loop {
            let (items, last) = match self.read_page(shard, round, after).await {
                Ok(page) => page,
                Err(error) => return (report, Some(error)),
            };
            let pending: Vec<Pending> = items
                .into_iter()
                .filter_map(|item| read(item, &mut report))
                .collect();
            let outcome = self.publisher.publish(&pending, &mut report).await;
            // They stay in the index, and this sweep has passed them.
            let failed = outcome.failed.iter().map(|index| &pending[*index].key);
            report.failed.extend(failed.map(|key| key.sk.clone()));
            after = last;
            if after.is_none() || outcome.unavailable || self.clock.now() >= round.ends_at {
                return (report, None);
            }
        }
    }

    /// The next items of a shard, and where to go on. The index may show what has
    /// been published since, and the stream may be publishing it: only the items
    /// themselves tell.
    async fn read_page(
        &self,
        shard: u8,
        round: &Round,
        after: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let _permit = round.reads.acquire().await;
        let query = Query::index(UNSENT_INDEX, "unsent = :shard AND unsent_since < :before")
            .value(":shard", shard.to_string())
            .value(":before", round.before.as_millisecond())
            .after(after);
        let page = self.table.query::<UnsentKey>(query, PAGE_EVENTS).await?;
        let keys = page.items.into_iter();
        let keys = keys.map(|key| Key::new(key.pk, key.sk)).collect();
        let mut items = self.table.get_items(keys, true).await?;
        items.retain(|item| item.contains_key("unsent"));
        Ok((items, page.last_key))
    }
}
