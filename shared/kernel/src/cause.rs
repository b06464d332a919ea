//! Who and what made something happen.

use std::{fmt, net::IpAddr};

use crate::UserId;

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person.
    User(UserId),
    /// A machine client with the internal key.
    Internal,
    /// Somebody who has not signed in.
    Anonymous,
    /// A function of the shop, by its name.
    Function(&'static str),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Internal => f.write_str("internal"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Function(name) => write!(f, "function:{name}"),
        }
    }
}

/// Why something happens: the request or event behind it. It goes into every
/// event, so that an e-mail can be traced to the request that began it.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The id that the whole chain bears, from the first request on.
    pub correlation_id: String,
    /// The event (or request) that led directly to this.
    pub causation_id: String,
    /// Who acts.
    pub actor: Actor,
    /// What the client calls the first request of the chain.
    pub client: ClientIds,
    /// Where a machine client acts from. `None` for everybody else: people's
    /// addresses must not accumulate in events.
    pub source_ip: Option<IpAddr>,
}

/// What a client calls a request in its own records. It can be anything, another
/// request's id too, so it is shown beside our ids and never in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientIds {
    /// The request.
    pub request_id: Option<String>,
    /// The chain that the request belongs to.
    pub correlation_id: Option<String>,
}

impl Cause {
    /// A cause that no client has named.
    pub fn new(
        correlation_id: impl Into<String>,
        causation_id: impl Into<String>,
        actor: Actor,
    ) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            causation_id: causation_id.into(),
            actor,
            client: ClientIds::default(),
            source_ip: None,
        }
    }
}
