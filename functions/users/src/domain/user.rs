//! Accounts.

use std::net::IpAddr;

use jiff::fmt::serde::timestamp::millisecond::optional as millisecond;
use kernel::{
    Role, Timestamp, UserId,
    input::{FieldErrors, Fields, FromInput, Value},
};
use serde::{Deserialize, Serialize};

use super::{Email, PasswordHash, PersonName, Phone, Profile};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    /// Closed by its owner or by an admin.
    Inactive,
    /// Blocked by an admin.
    Suspended,
    Pending,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Suspended, Self::Pending];

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
            Self::Pending => "pending",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    /// Unique among users.
    pub email: Email,
    pub name: PersonName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    pub role: Role,
    pub status: Status,
    pub email_verified: bool,
    /// Whether the address was verified by somebody who showed nothing else of the
    /// account, so that the one who knows its password may be somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub credentials_unproven: bool,
    #[serde(default)]
    pub profile: Profile,
    pub password_hash: PasswordHash,
    pub created_at: Timestamp,
    /// Sessions of an earlier epoch have ended: raising it ends all of them at
    /// once, without listing them.
    pub session_epoch: u32,
    /// Raised by every change of the account, for optimistic locking.
    pub version: u32,
    /// Raised by every login, so that of two concurrent ones the second is
    /// decided on the state that the first left.
    #[serde(default)]
    pub sign_ins: u32,
    /// Whether logging in requires a second factor. The attribute exists only
    /// while it does, and changes together with the item of the factor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mfa_enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_ip: Option<IpAddr>,
    /// When the account will be erased, if its owner closed it.
    #[serde(default, with = "millisecond", skip_serializing_if = "Option::is_none")]
    pub erase_at: Option<Timestamp>,
    /// Whether the erasure has begun: personal data is gone, only a tombstone is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erasing: bool,
    /// Whether an admin closed or blocked the account: then its owner cannot reopen it.
    #[serde(default, rename = "shut", skip_serializing_if = "std::ops::Not::not")]
    pub disabled_by_admin: bool,
}

/// A change by an admin; `None` leaves the value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserChange {
    pub role: Option<Role>,
    pub status: Option<Status>,
}

impl User {
    pub fn new(
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
            credentials_unproven: false,
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
            disabled_by_admin: false,
            erasing: false,
        }
    }

    /// A user who does not exist, for work that must take as long as for one who does.
    pub fn placeholder(id: UserId, now: Timestamp) -> Self {
        let contact = (Email::placeholder(), PersonName::placeholder(), None);
        Self::new(id, contact, PasswordHash(String::new()), now)
    }

    pub fn is_active_admin(&self) -> bool {
        self.is_active() && self.role == Role::Admin
    }

    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The user with another password, which ends every session that is not moved
    /// to the new epoch.
    #[must_use]
    pub fn with_password(&self, password_hash: PasswordHash) -> Self {
        Self {
            password_hash,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Whether the one who knows the credentials has proven to read the mailbox.
    /// Until then nothing may be set up that outlives such a proof.
    pub fn owner_proven(&self) -> bool {
        self.email_verified && !self.credentials_unproven
    }

    /// The user without a second factor; every session ends.
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

    /// The user after a change; `None` when nothing would change. Deactivating an
    /// account ends its sessions permanently: activating it does not restore them.
    #[must_use]
    pub fn changed(&self, change: UserChange) -> Option<Self> {
        let role = change.role.unwrap_or(self.role);
        let status = change.status.unwrap_or(self.status);
        let disabled_by_admin = change
            .status
            .map_or(self.disabled_by_admin, |to| to != Status::Active);
        // An account that its owner closed may look the same before and after.
        let disables_closed =
            disabled_by_admin && self.erase_at.is_some() && !self.disabled_by_admin;
        if (role, status) == (self.role, self.status) && !disables_closed {
            return None;
        }
        let ends_sessions = self.is_active() && status != Status::Active;
        Some(Self {
            role,
            status,
            session_epoch: self.session_epoch + u32::from(ends_sessions),
            version: self.version + 1,
            // An account that is activated again is not erased.
            erase_at: self.erase_at.filter(|_| status != Status::Active),
            disabled_by_admin,
            ..self.clone()
        })
    }
}

/// The address and the name, as a whole and in parts.
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

/// Parses a role, which is a type of another crate.
pub fn parse_role(value: Value<'_>) -> Result<Role, FieldErrors> {
    Role::from_name(&value.text()?)
        .ok_or_else(|| FieldErrors::new("must be user, moderator or admin"))
}

impl UserChange {
    /// The fields `role` and `status` of a body.
    pub fn fields(fields: &mut Fields<'_>) -> (Option<Role>, Option<Status>) {
        let role = fields.optional_with("role", parse_role);
        (role, fields.optional("status"))
    }

    /// # Errors
    /// When neither the role nor the status is to change.
    pub fn require_any(self) -> Result<Self, FieldErrors> {
        if self.role.is_none() && self.status.is_none() {
            return Err(FieldErrors::new("must have role or status"));
        }
        Ok(self)
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
        User::new(id, (email, name, None), hash, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_change_without_effect_is_none() {
        let same = UserChange {
            role: Some(Role::User),
            status: Some(Status::Active),
        };
        assert_eq!(ada().changed(same), None);
    }

    #[test]
    fn only_deactivation_ends_sessions() {
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
