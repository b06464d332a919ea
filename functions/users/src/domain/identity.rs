//! Who calls, as the authorizer finds out.

use std::str::FromStr;

use kernel::Timestamp;
use runtime::http::{Role, SignedIn};
use serde_json::{Map, Value};

use super::{Session, User};

/// Why credentials that were sent are not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The access token was good, and is too old.
    TokenExpired,
    /// The access token is not one of ours.
    TokenInvalid,
    /// The session of the token is over.
    SessionEnded,
    /// The account may not be used.
    AccountInactive,
    /// The internal key is not the one.
    InternalKeyInvalid,
}

impl Reason {
    /// The reason's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::SessionEnded => "session_ended",
            Self::AccountInactive => "account_inactive",
            Self::InternalKeyInvalid => "internal_key_invalid",
        }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A person with a session.
    User(SignedIn),
    /// A machine client with the internal key.
    Internal,
    /// Nobody known; with the reason, when credentials were sent.
    Nobody(Option<Reason>),
}

impl Identity {
    /// The authorizer's context for the function behind it. API Gateway hands
    /// on texts only.
    pub fn context(&self) -> Map<String, Value> {
        let mut context = Map::new();
        let mut add = |name: &str, text: String| context.insert(name.into(), text.into());
        match self {
            Self::User(person) => {
                add("kind", "user".into());
                add("userId", person.user_id.to_string());
                add("sessionId", person.session_id.to_string());
                add("role", person.role.as_str().into());
                if let Some(role) = person.withheld {
                    add("withheld", role.as_str().into());
                }
            }
            Self::Internal => {
                add("kind", "internal".into());
            }
            Self::Nobody(reason) => {
                add("kind", "none".into());
                if let Some(reason) = reason {
                    add("reason", reason.as_str().into());
                }
            }
        }
        context
    }

    /// What to log of it.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Internal => "internal",
            Self::Nobody(None) => "none",
            Self::Nobody(Some(reason)) => reason.as_str(),
        }
    }
}

/// Whether those who run the shop need a second factor for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminMfa {
    /// They may do with a password.
    #[default]
    Optional,
    /// A session made with a password alone gives an admin no more rights than
    /// anybody else.
    Required,
}

/// What [`AdminMfa`] is not.
#[derive(Debug, thiserror::Error)]
#[error("neither required nor optional")]
pub struct AdminMfaError;

impl FromStr for AdminMfa {
    type Err = AdminMfaError;

    fn from_str(text: &str) -> Result<Self, AdminMfaError> {
        match text {
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err(AdminMfaError),
        }
    }
}

/// Lets a person in whose token is good, if session and account are too. The
/// role is the account's of now, whatever the token says; that of an admin is
/// withheld where a second factor is required and the session has none.
///
/// # Errors
/// The reason why not.
pub fn admit(
    session: Option<&Session>,
    user: Option<&User>,
    admin_mfa: AdminMfa,
    now: Timestamp,
) -> Result<SignedIn, Reason> {
    let (Some(session), Some(user)) = (session, user) else {
        return Err(Reason::SessionEnded);
    };
    if session.user_id == user.id && !user.is_active() {
        return Err(Reason::AccountInactive);
    }
    if !session.is_live(user, now) {
        return Err(Reason::SessionEnded);
    }
    let withheld = withheld_role(session, user, admin_mfa);
    Ok(SignedIn {
        user_id: user.id,
        session_id: session.id,
        role: withheld.map_or(user.role, |_| Role::User),
        withheld,
    })
}

/// The role that the person has and that the session does not give, because a
/// second factor is required for it. One that was turned off since proves
/// nothing any more.
pub fn withheld_role(session: &Session, user: &User, admin_mfa: AdminMfa) -> Option<Role> {
    let proven = session.mfa && user.mfa_enabled;
    let withheld = admin_mfa == AdminMfa::Required && user.role == Role::Admin && !proven;
    withheld.then_some(user.role)
}

#[cfg(test)]
mod tests {
    use kernel::SessionId;

    use super::*;
    use crate::domain::{IDLE_LIFETIME, Status, user::tests::ada};

    fn admit(
        session: Option<&Session>,
        user: Option<&User>,
        now: Timestamp,
    ) -> Result<SignedIn, Reason> {
        super::admit(session, user, AdminMfa::Optional, now)
    }

    #[test]
    fn only_a_live_session_of_an_active_account_is_let_in() {
        let now = Timestamp::UNIX_EPOCH;
        let user = User {
            role: Role::Admin,
            ..ada()
        };
        let session = Session::begin(testkit::new_id::<SessionId>(), &user, String::new(), now);
        let admitted = admit(Some(&session), Some(&user), now).unwrap();
        assert_eq!(
            (admitted.user_id, admitted.session_id, admitted.role),
            (user.id, session.id, Role::Admin)
        );

        let ended = Err(Reason::SessionEnded);
        assert_eq!(admit(None, Some(&user), now), ended);
        assert_eq!(admit(Some(&session), None, now), ended);
        assert_eq!(admit(Some(&session), Some(&ada()), now), ended);
        assert_eq!(
            admit(Some(&session), Some(&user), now + IDLE_LIFETIME),
            ended
        );
        for status in [Status::Inactive, Status::Suspended, Status::Pending] {
            let user = User {
                status,
                ..user.clone()
            };
            let refused = admit(Some(&session), Some(&user), now);
            assert_eq!(refused, Err(Reason::AccountInactive));
        }
    }

    #[test]
    fn where_it_is_required_an_admin_without_a_second_factor_is_anybody() {
        let now = Timestamp::UNIX_EPOCH;
        let decided = |role, enabled, mfa, admin_mfa| {
            let user = User {
                role,
                mfa_enabled: enabled,
                ..ada()
            };
            let session = Session::begin(testkit::new_id::<SessionId>(), &user, String::new(), now);
            let session = Session { mfa, ..session };
            let person = super::admit(Some(&session), Some(&user), admin_mfa, now).unwrap();
            (person.role, person.withheld)
        };
        let required = AdminMfa::Required;
        let withheld = (Role::User, Some(Role::Admin));
        assert_eq!(decided(Role::Admin, false, false, required), withheld);
        assert_eq!(decided(Role::Admin, true, false, required), withheld);
        // Turned off since: the session's proof counts no more.
        assert_eq!(decided(Role::Admin, false, true, required), withheld);
        let admin = (Role::Admin, None);
        assert_eq!(decided(Role::Admin, true, true, required), admin);
        let optional = AdminMfa::Optional;
        assert_eq!(decided(Role::Admin, false, false, optional), admin);
        let moderator = (Role::Moderator, None);
        assert_eq!(decided(Role::Moderator, false, false, required), moderator);
        assert_eq!(
            decided(Role::User, false, false, required),
            (Role::User, None)
        );
        assert!("Required".parse::<AdminMfa>().is_err());
    }
}
