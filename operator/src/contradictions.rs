//! Events that contradict what orders or payments has recorded, as these services
//! list them, and have not been settled by a person.

use std::fmt;

use dynamo::{CONTRADICTIONS_PK, CommitError, Contradiction, Expression, Key};
use kernel::{OrderId, Timestamp};
use runtime::Error;
use serde::Serialize;

use crate::{Shop, text};

/// The services that have such a list.
const SERVICES: [&str; 2] = ["orders", "payments"];
/// Entries of one service that are read. With more, the first ones show what is wrong.
const LISTED_MAX: usize = 1_000;

/// What is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contradictions {
    pub listed: Vec<Listed>,
    /// Entries that this version cannot read.
    pub unreadable: Vec<Unreadable>,
    /// Whether there are more than were read.
    pub more: bool,
    #[serde(skip)]
    now: Timestamp,
}

/// An event that contradicts what a service has recorded.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// What `resolve` takes.
    pub key: String,
    pub service: &'static str,
    pub order_id: OrderId,
    pub event_type: String,
    pub reason: String,
    pub recorded_at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    pub key: String,
    pub service: &'static str,
}

/// An entry that was taken off its list.
#[derive(Debug, Serialize)]
pub struct Resolved {
    #[serde(flatten)]
    pub entry: Listed,
}

/// Lists what is not settled, the oldest first for each service.
pub async fn list(shop: &Shop) -> Result<Contradictions, Error> {
    let (mut listed, mut unreadable, mut more) = (Vec::new(), Vec::new(), false);
    for service in SERVICES {
        let table = shop.table(service)?;
        let items: Vec<serde_json::Value> = table.list(CONTRADICTIONS_PK, "", LISTED_MAX).await?;
        more |= items.len() == LISTED_MAX;
        for item in items {
            let key = item["sk"].as_str().unwrap_or_default().to_owned();
            match serde_json::from_value(item) {
                Ok(entry) => listed.push(Listed::of(service, entry)),
                Err(_) => unreadable.push(Unreadable { key, service }),
            }
        }
    }
    Ok(Contradictions {
        listed,
        unreadable,
        more,
        now: shop.host.now(),
    })
}

/// Takes an entry off its list, because a person has settled the matter.
///
/// # Errors
/// When there is none, or when it is not the one that was read: an event that is
/// delivered once more after its entry was removed puts it back.
pub async fn resolve(shop: &Shop, key: &str) -> Result<Resolved, Error> {
    for service in SERVICES {
        let table = shop.table(service)?;
        let place = || Key::new(CONTRADICTIONS_PK, key);
        let Some(entry) = table.get::<Contradiction>(place()).await? else {
            continue;
        };
        let same =
            Expression::when("recorded_at = :recorded").value(":recorded", entry.recorded_at);
        match table.delete(place(), same).await {
            Ok(()) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::ConditionFailed(_)) => {
                // Gone: deleted by an attempt whose reply was lost, or by somebody else.
                if table.get::<Contradiction>(place()).await?.is_some() {
                    return Err(format!("{key} was recorded again meanwhile: look at it").into());
                }
            }
        }
        let entry = Listed::of(service, entry);
        return Ok(Resolved { entry });
    }
    Err(format!("there is no contradiction {key}: it is settled, or never was listed").into())
}

impl Listed {
    fn of(service: &'static str, entry: Contradiction) -> Self {
        Self {
            key: entry.sk,
            service,
            order_id: entry.order_id,
            event_type: entry.event_type,
            reason: entry.reason,
            recorded_at: entry.recorded_at,
        }
    }

    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, now: Timestamp) -> fmt::Result {
        let (event, service) = (&self.event_type, self.service);
        let age = text::age(now, self.recorded_at);
        writeln!(f, "  {event} in {service}, {age} ago: {}", self.reason)?;
        writeln!(f, "    {}", self.key)
    }
}

impl fmt::Display for Contradictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.listed.is_empty() && self.unreadable.is_empty() {
            return writeln!(f, "no contradictions");
        }
        for entry in &self.listed {
            writeln!(f, "order {}", entry.order_id)?;
            entry.write(f, self.now)?;
        }
        for entry in &self.unreadable {
            let (key, service) = (&entry.key, entry.service);
            writeln!(f, "{key} in {service} cannot be read by this version")?;
        }
        if self.more {
            writeln!(f, "and perhaps more")?;
        }
        writeln!(
            f,
            "\nLook at each order with `emporium order show ID`. When it is settled:\n  \
             emporium contradictions resolve KEY"
        )
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (order_id, event) = (self.entry.order_id, &self.entry.event_type);
        writeln!(f, "{event} of order {order_id} is off the list")
    }
}
