//! The streams of tables: shards, and in each the order of its records. The records of
//! one partition key are in one shard; between shards there is no order at all.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::sync::Notify;

/// A sequence of records that are delivered in order.
#[derive(Debug, Default)]
pub struct Shard {
    records: Mutex<VecDeque<Value>>,
    arrived: Notify,
}

impl Shard {
    /// Waits for records, and takes up to `most`.
    pub async fn take(&self, most: usize) -> Vec<Value> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
                if !records.is_empty() {
                    let count = records.len().min(most.max(1));
                    return records.drain(..count).collect();
                }
            }
            arrived.await;
        }
    }

    fn push(&self, record: Value) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push_back(record);
        drop(records);
        self.arrived.notify_one();
    }

    fn is_empty(&self) -> bool {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.is_empty()
    }
}

/// The shards of each table that is read.
#[derive(Debug, Default)]
pub struct Streams(Mutex<BTreeMap<String, Vec<Arc<Shard>>>>);

impl Streams {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<Arc<Shard>>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to keep the records of a table, in so many shards.
    pub fn open(&self, table: &str, shards: usize) -> Vec<Arc<Shard>> {
        let shards: Vec<_> = (0..shards.max(1)).map(|_| Arc::default()).collect();
        self.with(|tables| tables.insert(table.to_owned(), shards.clone()));
        shards
    }

    /// Adds a record of the item with this partition key.
    pub fn push(&self, table: &str, pk: &str, record: Value) {
        self.with(|tables| {
            if let Some(shards) = tables.get(table) {
                shards[shard_of(pk, shards.len())].push(record);
            }
        });
    }

    /// Whether all records have been taken.
    pub fn are_read(&self) -> bool {
        self.with(|tables| tables.values().flatten().all(|shard| shard.is_empty()))
    }
}

/// The shard of a partition key.
fn shard_of(pk: &str, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    pk.hash(&mut hasher);
    let shards = u64::try_from(shards.max(1)).unwrap_or(1);
    usize::try_from(hasher.finish() % shards).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_records_of_one_partition_key_stay_in_order() {
        let streams = Streams::default();
        let shards = streams.open("table", 4);
        for number in 0..40 {
            let pk = format!("ITEM#{}", number % 10);
            streams.push("table", &pk, json!({"pk": pk, "number": number}));
        }
        let used = shards.iter().filter(|shard| !shard.is_empty()).count();
        assert!(used > 1, "all in one shard");
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for shard in shards {
            while !shard.is_empty() {
                for record in shard.take(3).await {
                    let number = record["number"].as_u64().unwrap_or_default();
                    let before = last.insert(record["pk"].to_string(), number);
                    assert!(before.is_none_or(|before| before < number));
                }
            }
        }
        assert_eq!(last.len(), 10);
        assert!(streams.are_read());
    }
}
