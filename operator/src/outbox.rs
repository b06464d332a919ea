//! Events that are written and not published.

use std::{collections::BTreeMap, fmt};

use aws_sdk_lambda::primitives::Blob;
use dynamo::{Key, OutboxItem, Query, StoreError, Table, UNSENT_INDEX, UNSENT_SHARDS};
use kernel::Timestamp;
use runtime::Error;
use serde::{Deserialize, Serialize};

use crate::{Shop, text};

/// Events of one shard that are counted. Beyond that the number does not matter.
const COUNTED_MAX: usize = 1_000;
/// Events of one service that are listed, the oldest first.
const LISTED_MAX: usize = 10;

/// The unsent events of all services.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    /// By service.
    pub services: BTreeMap<String, Unsent>,
    /// The relays that were told to sweep.
    pub swept: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

/// The unsent events of a service.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsent {
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    pub oldest_since: Option<Timestamp>,
    pub oldest: Vec<UnsentEvent>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsentEvent {
    pub subject: String,
    pub event_type: String,
    pub since: Timestamp,
}

/// Shows what is unsent, and with `send` has the relays publish what is older than a
/// minute, as they do every minute by themselves.
pub async fn show(shop: &Shop, send: bool) -> Result<Outbox, Error> {
    let mut services = BTreeMap::new();
    let mut swept = Vec::new();
    for (service, table) in &shop.tables {
        let unsent = unsent(table).await?;
        if send && unsent.count > 0 {
            swept.push(sweep(shop, service).await?);
        }
        services.insert(service.clone(), unsent);
    }
    Ok(Outbox {
        services,
        swept,
        now: shop.host.now(),
    })
}

/// The unsent events of a table.
pub async fn unsent(table: &Table) -> Result<Unsent, StoreError> {
    #[derive(Deserialize)]
    struct UnsentKey {
        pk: String,
        sk: String,
        unsent_since: i64,
    }
    let mut keys: Vec<UnsentKey> = Vec::new();
    let mut more = false;
    for shard in 0..UNSENT_SHARDS {
        let query =
            Query::index(UNSENT_INDEX, "unsent = :shard").value(":shard", shard.to_string());
        let found: Vec<UnsentKey> = table.read_all(query, COUNTED_MAX).await?;
        more |= found.len() == COUNTED_MAX;
        keys.extend(found);
    }
    keys.sort_by_key(|key| key.unsent_since);
    let since = |key: &UnsentKey| Timestamp::from_millisecond(key.unsent_since).ok();
    let mut oldest = Vec::new();
    for key in keys.iter().take(LISTED_MAX) {
        let item: Option<OutboxItem> = table.get(Key::new(&key.pk, &key.sk)).await?;
        let event = item.and_then(|item| item.envelope().ok());
        if let (Some(event), Some(since)) = (event, since(key)) {
            oldest.push(UnsentEvent {
                subject: event.subject,
                event_type: event.event_type,
                since,
            });
        }
    }
    Ok(Unsent {
        count: keys.len(),
        more,
        oldest_since: keys.first().and_then(since),
        oldest,
    })
}

/// Has the relay of a service publish what is unsent; returns the relay's name.
pub(crate) async fn sweep(shop: &Shop, service: &str) -> Result<String, Error> {
    let singular = match service {
        "catalog" => "catalog",
        plural => plural.trim_end_matches('s'),
    };
    let function = format!("{}-relay-{singular}-events", shop.stack);
    let invoked = shop
        .lambda
        .invoke()
        .function_name(&function)
        .payload(Blob::new("{}"))
        .send()
        .await?;
    match invoked.function_error {
        None => Ok(function),
        Some(error) => Err(format!("{function} failed ({error}): see its log").into()),
    }
}

impl fmt::Display for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (service, unsent) in &self.services {
            let more = if unsent.more { " or more" } else { "" };
            let oldest = unsent.oldest_since.map(|since| {
                let age = text::age(self.now, since);
                format!(", the oldest for {age}")
            });
            let oldest = oldest.unwrap_or_default();
            writeln!(f, "{service:<14} {}{more} unsent{oldest}", unsent.count)?;
            for event in &unsent.oldest {
                let since = text::time(event.since);
                writeln!(f, "    {since}  {:<28} {}", event.event_type, event.subject)?;
            }
        }
        for relay in &self.swept {
            writeln!(f, "{relay} has published what was older than a minute")?;
        }
        Ok(())
    }
}
