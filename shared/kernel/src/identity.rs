//! Who somebody is to the shop, and what they may do.

use serde::{Deserialize, Serialize};

use crate::{SessionId, UserId};

/// What a person is allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A customer.
    User,
    /// Somebody who looks after what customers write.
    Moderator,
    /// Somebody who runs the shop.
    Admin,
}

impl Role {
    /// The role's name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Moderator, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// A person with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The person.
    pub user_id: UserId,
    /// The session in which they act.
    pub session_id: SessionId,
    /// What the session allows.
    pub role: Role,
    /// The person's own role, when the shop requires a second factor for it
    /// and the session was begun without one.
    pub withheld: Option<Role>,
    /// Whether nobody has shown both the account's credentials and its mailbox.
    pub unverified: bool,
}
