//! Who and what made something happen.

use std::fmt;

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
}
