//! What the items of all tables look like now, and what they looked like a moment ago:
//! replicas and indexes of DynamoDB lag, and a read that does not ask for consistency may
//! be answered from the past.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

/// How far behind a replica may be at most; what is older is forgotten.
pub const LAG_MAX: Duration = Duration::from_secs(5);

/// The primary key of an item.
pub(super) type Key = (String, String);

#[derive(Debug)]
struct Version {
    since: Instant,
    image: Option<Arc<Value>>,
}

type Table = BTreeMap<Key, Vec<Version>>;

/// The images of all items.
#[derive(Debug, Default)]
pub struct Images(Mutex<BTreeMap<String, Table>>);

/// The primary key in an item or a key.
pub(super) fn key_of(item: &Value) -> Key {
    let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    (text("pk"), text("sk"))
}

impl Images {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Table>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records what an item looks like from now on.
    pub fn record(&self, table: &str, key: Key, image: Option<Value>) {
        let now = Instant::now();
        self.with(|tables| {
            let versions = tables.entry(table.to_owned()).or_default();
            let versions = versions.entry(key).or_default();
            // The last one that a lagging replica can still show, and those after it.
            let shown = versions.iter().rposition(|one| one.since + LAG_MAX < now);
            versions.drain(..shown.unwrap_or_default());
            versions.push(Version {
                since: now,
                image: image.map(Arc::new),
            });
        });
    }

    /// What an item looks like now.
    pub fn current(&self, table: &str, key: &Key) -> Option<Arc<Value>> {
        self.with(|tables| tables.get(table)?.get(key)?.last()?.image.clone())
    }

    /// The items of a table, as they are now.
    pub fn items(&self, table: &str) -> Vec<Arc<Value>> {
        self.with(|tables| {
            let items = tables.get(table).into_iter().flatten();
            let images = items.filter_map(|(_, versions)| versions.last()?.image.clone());
            images.collect()
        })
    }

    /// What an item looked like at `then`, if that differs from what it looks like now.
    pub fn earlier(&self, table: &str, key: &Key, then: Instant) -> Option<Option<Arc<Value>>> {
        self.with(|tables| earlier(tables.get(table)?.get(key)?, then))
    }

    /// The items that looked different at `then`: their keys and their images of that time.
    pub fn changed_since(&self, table: &str, then: Instant) -> Vec<(Key, Option<Arc<Value>>)> {
        self.with(|tables| {
            let items = tables.get(table).into_iter().flatten();
            let changed =
                items.filter_map(|(key, versions)| Some((key.clone(), earlier(versions, then)?)));
            changed.collect()
        })
    }
}

fn earlier(versions: &[Version], then: Instant) -> Option<Option<Arc<Value>>> {
    if versions.last().is_none_or(|last| last.since <= then) {
        return None;
    }
    let earlier = versions.iter().rev().find(|one| one.since <= then);
    Some(earlier.and_then(|version| version.image.clone()))
}
