//! Who calls, as the authorizer determines.

use std::str::FromStr;

use kernel::{Principal, Role, Timestamp};
use serde_json::{Map, Value};

use super::{Session, User};

/// Why credentials are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    TokenExpired,
    TokenInvalid,
    SessionEnded,
    AccountInactive,
    InternalKeyInvalid,
    /// The request did not come through the edge.
    EdgeRequired,
}

impl Rejection {
    /// The stable code that clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::TokenInvalid => "token_invalid",
            Self::SessionEnded => "session_ended",
            Self::AccountInactive => "account_inactive",
            Self::InternalKeyInvalid => "internal_key_invalid",
            Self::EdgeRequired => "edge_required",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    User(Principal),
    /// A machine client with the internal key.
    Internal,
    /// Unknown; with the reason, if credentials were sent.
    Anonymous(Option<Rejection>),
}

impl Identity {
    /// The authorizer's context for the function behind it. API Gateway passes on
    /// strings only.
    pub fn context(&self) -> Map<String, Value> {
        let mut context = Map::new();
        let mut add = |name: &str, text: String| context.insert(name.into(), text.into());
        match self {
            Self::User(principal) => {
                add("kind", "user".into());
                add("userId", principal.user_id.to_string());
                add("sessionId", principal.session_id.to_string());
                add("role", principal.role.as_str().into());
                if let Some(role) = principal.withheld {
                    add("withheld", role.as_str().into());
                }
                add("unverified", principal.unverified.to_string());
            }
            Self::Internal => {
                add("kind", "internal".into());
            }
            Self::Anonymous(rejection) => {
                add("kind", "none".into());
                if let Some(rejection) = rejection {
                    add("reason", rejection.as_str().into());
                }
            }
        }
        context
    }

    /// The outcome for the log.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Internal => "internal",
            Self::Anonymous(None) => "none",
            Self::Anonymous(Some(rejection)) => rejection.as_str(),
        }
    }
}

/// Whether the role of an admin requires a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminMfa {
    #[default]
    Optional,
    /// A session that was begun with a password alone gives an admin the rights
    /// of a user.
    Required,
}

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

/// Admits the holder of a valid token if the session and the account are valid too.
///
/// # Errors
/// The reason for the rejection.
pub fn admit(
    session: Option<&Session>,
    user: Option<&User>,
    admin_mfa: AdminMfa,
    now: Timestamp,
) -> Result<Principal, Rejection> {
    let (Some(session), Some(user)) = (session, user) else {
        return Err(Rejection::SessionEnded);
    };
    if session.user_id == user.id && !user.is_active() {
        return Err(Rejection::AccountInactive);
    }
    if !session.is_live(user, now) {
        return Err(Rejection::SessionEnded);
    }
    Ok(principal(session, user, admin_mfa))
}

/// A user in a session. The role is the account's current one, whatever a token
/// says; an admin's is withheld where a second factor is required and the session
/// has none. A factor that was disabled since proves nothing.
pub fn principal(session: &Session, user: &User, admin_mfa: AdminMfa) -> Principal {
    let proven = session.mfa && user.mfa_enabled;
    let withhold = admin_mfa == AdminMfa::Required && user.role == Role::Admin && !proven;
    Principal {
        user_id: user.id,
        session_id: session.id,
        role: if withhold { Role::User } else { user.role },
        withheld: withhold.then_some(user.role),
        unverified: !user.owner_proven(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{IDLE_LIFETIME, Status, user::tests::ada};

    fn admit(
        session: Option<&Session>,
        user: Option<&User>,
        now: Timestamp,
    ) -> Result<Principal, Rejection> {
        super::admit(session, user, AdminMfa::Optional, now)
    }

    #[test]
    fn only_a_live_session_of_an_active_account_is_admitted() {
        let now = Timestamp::UNIX_EPOCH;
        let user = User {
            role: Role::Admin,
            ..ada()
        };
        let session = Session::begin(testkit::new_id(), &user, String::new(), now);
        let admitted = admit(Some(&session), Some(&user), now).unwrap();
        assert_eq!(
            (admitted.user_id, admitted.session_id, admitted.role),
            (user.id, session.id, Role::Admin)
        );

        let ended = Err(Rejection::SessionEnded);
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
            assert_eq!(refused, Err(Rejection::AccountInactive));
        }
    }

    #[test]
    fn an_admin_without_a_required_second_factor_has_the_role_of_a_user() {
        let now = Timestamp::UNIX_EPOCH;
        let decided = |role, enabled, mfa, admin_mfa| {
            let user = User {
                role,
                mfa_enabled: enabled,
                ..ada()
            };
            let session = Session::begin(testkit::new_id(), &user, String::new(), now);
            let session = Session { mfa, ..session };
            let principal = super::admit(Some(&session), Some(&user), admin_mfa, now).unwrap();
            (principal.role, principal.withheld)
        };
        let required = AdminMfa::Required;
        let withheld = (Role::User, Some(Role::Admin));
        assert_eq!(decided(Role::Admin, false, false, required), withheld);
        assert_eq!(decided(Role::Admin, true, false, required), withheld);
        // Disabled since: what the session has proven does not count.
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
