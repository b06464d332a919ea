//! Accounts.

use std::net::IpAddr;

use jiff::fmt::serde::timestamp::millisecond::optional as millisecond;
use kernel::{
    Timestamp, UserId,
    input::{FromInput, FieldErrors, Value},
};
use kernel::Role;
use serde::{Deserialize, Serialize};

use super::{Email, PasswordHash, PersonName, Phone, Profile};

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may.
    Active,
    /// It was put to rest.
    Inactive,
    /// It was shut by the shop.
    Suspended,
    /// It waits for something.
    Pending,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Suspended, Self::Pending];

    /// The status' name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
            Self::Pending => "pending",
        }
    }
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The address; no two users have the same.
    pub email: Email,
    /// The name.
    pub name: PersonName,
    /// The telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// What the person may do.
    pub role: Role,
    /// Whether the account may be used.
    pub status: Status,
    /// Whether the person has shown that mail to the address arrives.
    pub email_verified: bool,
    /// What else the person says of themselves.
    #[serde(default)]
    pub profile: Profile,
    /// What the password is checked against.
    pub password_hash: PasswordHash,
    /// Since when there is the account.
    pub created_at: Timestamp,
    /// Sessions of an earlier epoch are over: raising it ends all of them at
    /// once, without having to know them.
    pub session_epoch: u32,
    /// Raised by every change of the account, so that no change is lost.
    pub version: u32,
    /// How often somebody has logged in: so that each log-in is decided on
    /// what the one before has left.
    #[serde(default)]
    pub sign_ins: u32,
    /// Whether logging in takes a second factor. It is there only while it
    /// does, and changes together with the item of the factor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mfa_enabled: bool,
    /// When somebody last logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Timestamp>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_ip: Option<IpAddr>,
    /// When it is going to be erased, since its owner closed it.
    #[serde(default, with = "millisecond", skip_serializing_if = "Option::is_none")]
    pub erase_at: Option<Timestamp>,
    /// Whether that has begun: nothing of the person is here any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erasing: bool,
    /// Whether the shop has taken it out of use: then its owner cannot come back
    /// to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut: bool,
}

/// What an admin changes of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserChange {
    /// The role, when it is to change.
    pub role: Option<Role>,
    /// The status, when it is to change.
    pub status: Option<Status>,
}

impl User {
    /// A new account.
    pub fn open(
        id: UserId,
        (email, name, phone): (Email, PersonName, Option<Phone>),
        password_hash: PasswordHash,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            email,
            name,
            phone,
            role: Role::User,
            status: Status::Active,
            email_verified: false,
            profile: Profile::default(),
            password_hash,
            created_at: now,
            session_epoch: 0,
            version: 1,
            sign_ins: 0,
            mfa_enabled: false,
            last_login_at: None,
            last_login_ip: None,
            erase_at: None,
            shut: false,
            erasing: false,
        }
    }

    /// Somebody who does not exist, for work that is done all the same.
    pub fn nobody(id: UserId, now: Timestamp) -> Self {
        let who = (Email::nobodys(), PersonName::nobodys(), None);
        Self::open(id, who, PasswordHash(String::new()), now)
    }

    /// Whether the person runs the shop now.
    pub fn is_active_admin(&self) -> bool {
        self.is_active() && self.role == Role::Admin
    }

    /// Whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The user with another password, which ends every session. Those that are
    /// to go on have to be taken into the new epoch.
    #[must_use]
    pub fn with_password(&self, password_hash: PasswordHash) -> Self {
        Self {
            password_hash,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// The user without a second factor, and without the sessions so far.
    #[must_use]
    pub fn without_mfa(&self) -> Self {
        Self {
            mfa_enabled: false,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// What makes a password easy to guess for somebody who knows the person.
    pub fn known_words(&self) -> Vec<&str> {
        known_words(Some(&self.email), Some(&self.name))
    }

    /// The user after a change; `None` when nothing would be different. An
    /// account that is not active any more loses its sessions for good: they
    /// do not come back with it.
    #[must_use]
    pub fn changed(&self, change: UserChange) -> Option<Self> {
        let role = change.role.unwrap_or(self.role);
        let status = change.status.unwrap_or(self.status);
        let shut = change.status.map_or(self.shut, |to| to != Status::Active);
        // Shutting what its owner closed changes nothing that anybody sees.
        let shuts = shut && self.erase_at.is_some() && !self.shut;
        if (role, status) == (self.role, self.status) && !shuts {
            return None;
        }
        let ends_sessions = self.is_active() && status != Status::Active;
        Some(Self {
            role,
            status,
            session_epoch: self.session_epoch + u32::from(ends_sessions),
            version: self.version + 1,
            // Whoever opens it again does not want it erased.
            erase_at: self.erase_at.filter(|_| status != Status::Active),
            shut,
            ..self.clone()
        })
    }
}

/// The words of an address and a name: as a whole and in parts.
pub fn known_words<'a>(email: Option<&'a Email>, name: Option<&'a PersonName>) -> Vec<&'a str> {
    email
        .map(Email::as_str)
        .into_iter()
        .chain(name.map(PersonName::as_str))
        .flat_map(|text| std::iter::once(text).chain(text.split(['@', '.', '+', ' '])))
        .filter(|word| !word.is_empty())
        .collect()
}

impl FromInput for Status {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let name = value.text()?;
        let found = Self::ALL.into_iter().find(|status| status.as_str() == name);
        found.ok_or_else(|| FieldErrors::new("must be active, inactive, suspended or pending"))
    }
}

/// Reads a role by its name.
///
/// # Errors
/// When there is no such role.
pub fn role_of(value: Value<'_>) -> Result<Role, FieldErrors> {
    Role::from_name(&value.text()?)
        .ok_or_else(|| FieldErrors::new("must be user, moderator or admin"))
}

impl FromInput for UserChange {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let role = fields.optional_with("role", role_of);
        let status = fields.optional("status");
        let change = fields.finish(|| Some(Self { role, status }))?;
        if change.role.is_none() && change.status.is_none() {
            return Err(FieldErrors::new("must have role or status"));
        }
        Ok(change)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn ada() -> User {
        let email = Email::from_input(Value::Text("ada@example.com")).unwrap();
        let name = PersonName::from_input(Value::Text("Ada")).unwrap();
        let hash = PasswordHash(String::new());
        let id = testkit::new_id::<UserId>();
        User::open(id, (email, name, None), hash, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_change_that_changes_nothing_is_none() {
        let same = UserChange {
            role: Some(Role::User),
            status: Some(Status::Active),
        };
        assert_eq!(ada().changed(same), None);
    }

    #[test]
    fn only_leaving_active_ends_sessions() {
        let to = |user: &User, status| {
            let change = UserChange {
                role: None,
                status: Some(status),
            };
            user.changed(change).unwrap()
        };
        let suspended = to(&ada(), Status::Suspended);
        assert_eq!((suspended.session_epoch, suspended.version), (1, 2));
        let inactive = to(&suspended, Status::Inactive);
        assert_eq!((inactive.session_epoch, inactive.version), (1, 3));
        let active = to(&inactive, Status::Active);
        assert_eq!((active.session_epoch, active.version), (1, 4));
        let admin = UserChange {
            role: Some(Role::Admin),
            status: None,
        };
        assert_eq!(ada().changed(admin).unwrap().session_epoch, 0);
    }
}
