//! The envelope of every event: CloudEvents 1.0 in its JSON format.

use std::net::IpAddr;

use jiff::Timestamp;
use kernel::{Actor, Cause, ClientIds, EventId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The data of one type of event.
pub trait EventData: Serialize + DeserializeOwned {
    /// The CloudEvents `type`: what happened, in the past tense.
    const TYPE: &'static str;
    /// The CloudEvents `source`: the service that publishes it.
    const SOURCE: &'static str;

    /// The CloudEvents `subject`: the id of what it happened to.
    fn subject(&self) -> String;
}

/// An event as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique together with `source`: consumers process each pair once.
    pub id: EventId,
    /// The service, as `emporium/orders`.
    pub source: String,
    /// What happened, as `order.placed`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The id of what it happened to.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// The schema of `data`.
    pub dataschema: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The id that the whole chain bears, from the first request to the last e-mail.
    pub correlationid: String,
    /// The event or request that led directly to this one.
    pub causationid: String,
    /// Who acted.
    pub actor: String,
    /// What the client called the first request of the chain. Absent
    /// if the client sent none, and from older events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clientrequestid: Option<String>,
    /// What the client called the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clientcorrelationid: Option<String>,
    /// Where a machine client acted from; absent for everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sourceip: Option<IpAddr>,
    /// Whether the event is announced again, because whoever published it waits for
    /// an answer. A consumer that has seen it does nothing more than announce its
    /// answer again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminder: bool,
    /// The data of the type.
    pub data: Value,
}

/// What makes one event different from all others: its id, when it happened,
/// and why.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The event's id.
    pub id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// Why it happened.
    pub cause: Cause,
}

/// The data of an event is not that of its type.
#[derive(Debug, thiserror::Error)]
#[error("the data of {event_type} {id} cannot be read")]
pub struct ReadEventError {
    event_type: String,
    id: EventId,
    #[source]
    source: serde_json::Error,
}

impl Envelope {
    /// An event.
    pub fn new<T: EventData>(data: &T, stamp: Stamp) -> Self {
        let Stamp { id, time, cause } = stamp;
        Self {
            specversion: "1.0".into(),
            id,
            source: T::SOURCE.into(),
            event_type: T::TYPE.into(),
            subject: data.subject(),
            time,
            dataschema: format!("/schemas/{}.json", T::TYPE),
            datacontenttype: "application/json".into(),
            correlationid: cause.correlation_id,
            causationid: cause.causation_id,
            actor: cause.actor.to_string(),
            clientrequestid: cause.client.request_id,
            clientcorrelationid: cause.client.correlation_id,
            sourceip: cause.source_ip,
            reminder: false,
            data: serde_json::to_value(data).unwrap_or_default(),
        }
    }

    /// Whether the event is of type `T`.
    pub fn is<T: EventData>(&self) -> bool {
        self.event_type == T::TYPE
    }

    /// The data as type `T`.
    ///
    /// # Errors
    /// When it is not: such a message ends in the dead-letter queue.
    pub fn read<T: EventData>(&self) -> Result<T, ReadEventError> {
        T::deserialize(&self.data).map_err(|source| ReadEventError {
            event_type: self.event_type.clone(),
            id: self.id,
            source,
        })
    }

    /// What a consumer records to process the event once.
    pub fn dedup_key(&self) -> String {
        format!("{}#{}", self.source, self.id)
    }

    /// The cause of what `actor` does because of this event.
    pub fn cause(&self, actor: &'static str) -> Cause {
        Cause {
            correlation_id: self.correlationid.clone(),
            causation_id: self.id.to_string(),
            actor: Actor::Function(actor),
            client: ClientIds {
                request_id: self.clientrequestid.clone(),
                correlation_id: self.clientcorrelationid.clone(),
            },
            // The function acts, and not the machine client that began the chain.
            source_ip: None,
        }
    }
}
