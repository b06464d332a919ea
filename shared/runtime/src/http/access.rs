//! Who calls, and who may.

use axum::extract::FromRequestParts;
use http::request::Parts;
use kernel::{Actor, SessionId, UserId};
use lambda_http::{RequestExt, request::RequestContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ApiError;

/// What a client is told to wait when the authorizer cannot read sessions.
const RETRY_AFTER_SECONDS: u32 = 2;

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

/// Who may call an endpoint. There is no default: each one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody with a session.
    SignedIn,
    /// People with the role.
    Role(Role),
    /// Admins, and machine clients with the internal key.
    AdminOrInternal,
    /// Machine clients with the internal key only.
    Internal,
}

/// Who calls, as the authorizer found out. Nothing of it is read from a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known; with the reason why not, such as `token_expired`.
    Anonymous {
        /// The authorizer's reason, when a token was sent.
        reason: Option<String>,
    },
    /// A person with a session.
    User(SignedIn),
    /// A machine client with the internal key.
    Internal,
}

/// A person with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user_id: UserId,
    /// Through which session.
    pub session_id: SessionId,
    /// What the person may do.
    pub role: Role,
    /// What the person could do in a session made with a second factor, when
    /// the shop wants one for that and this session is not.
    pub withheld: Option<Role>,
}

impl Caller {
    /// Reads what the authorizer put into the request's context. Anything
    /// missing or unreadable is nobody.
    pub(super) fn of(request: &lambda_http::Request) -> Self {
        let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
            return Self::Anonymous { reason: None };
        };
        let fields = context
            .authorizer
            .as_ref()
            .map(|authorizer| &authorizer.fields);
        let text = |name: &str| fields?.get(name).and_then(Value::as_str);
        let user = || {
            Some(SignedIn {
                user_id: text("userId")?.parse().ok()?,
                session_id: text("sessionId")?.parse().ok()?,
                role: Role::from_name(text("role")?)?,
                withheld: text("withheld").and_then(Role::from_name),
            })
        };
        match text("kind") {
            Some("internal") => Self::Internal,
            Some("user") => user().map_or(Self::Anonymous { reason: None }, Self::User),
            _ => Self::Anonymous {
                reason: text("reason").map(str::to_owned),
            },
        }
    }

    /// Who acts, for events and logs.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Anonymous { .. } => Actor::Anonymous,
            Self::User(person) => Actor::User(person.user_id),
            Self::Internal => Actor::Internal,
        }
    }
}

impl Access {
    /// Whether an endpoint with this access needs the authorizer before it.
    pub const fn needs_authorizer(self) -> bool {
        !matches!(self, Self::Public)
    }

    /// Whether a person with the role may call.
    fn admits(self, role: Role) -> bool {
        match self {
            Self::Public | Self::SignedIn => true,
            Self::Role(wanted) => role == wanted,
            Self::AdminOrInternal => role == Role::Admin,
            Self::Internal => false,
        }
    }

    /// Lets the caller through, or says why not.
    pub(super) fn decide(self, caller: &Caller) -> Result<(), ApiError> {
        let allowed = match (self, caller) {
            (Self::Public, _) | (Self::AdminOrInternal | Self::Internal, Caller::Internal) => true,
            (access, Caller::User(person)) => access.admits(person.role),
            _ => false,
        };
        match caller {
            _ if allowed => Ok(()),
            Caller::User(person) if person.withheld.is_some_and(|role| self.admits(role)) => {
                Err(ApiError::mfa_required())
            }
            Caller::Anonymous { reason } if reason.as_deref() == Some("unavailable") => {
                Err(ApiError::unavailable(RETRY_AFTER_SECONDS))
            }
            Caller::Anonymous { reason } => Err(ApiError::unauthenticated(reason.as_deref())),
            Caller::User(_) | Caller::Internal => Err(ApiError::forbidden()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(person)) => Ok(*person),
            _ => Err(ApiError::unauthenticated(None)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or(Self::Anonymous { reason: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_access_lets_in_exactly_whom_it_says() {
        let person = |role| {
            Caller::User(SignedIn {
                user_id: UserId::generate(),
                session_id: SessionId::generate(),
                role,
                withheld: None,
            })
        };
        let callers = [
            Caller::Anonymous { reason: None },
            person(Role::User),
            person(Role::Moderator),
            person(Role::Admin),
            Caller::Internal,
        ];
        let status = |access: Access| {
            callers.clone().map(|caller| match access.decide(&caller) {
                Ok(()) => 200,
                Err(refused) => refused.status().as_u16(),
            })
        };
        let unread = Caller::Anonymous {
            reason: Some("unavailable".into()),
        };
        let refused = Access::SignedIn.decide(&unread).unwrap_err();
        assert_eq!(refused.status().as_u16(), 503);
        assert_eq!(status(Access::Public), [200, 200, 200, 200, 200]);
        assert_eq!(status(Access::SignedIn), [401, 200, 200, 200, 403]);
        assert_eq!(status(Access::Role(Role::Admin)), [401, 403, 403, 200, 403]);
        assert_eq!(status(Access::AdminOrInternal), [401, 403, 403, 200, 200]);
        assert_eq!(status(Access::Internal), [401, 403, 403, 403, 200]);
    }
    #[test]
    fn a_role_that_is_withheld_gives_no_right_and_is_told_apart_from_none() {
        let caller = |withheld| {
            Caller::User(SignedIn {
                user_id: UserId::generate(),
                session_id: SessionId::generate(),
                role: Role::User,
                withheld,
            })
        };
        let code = |access: Access, withheld| {
            let decided = access.decide(&caller(withheld));
            decided.map_err(|refused| (refused.status().as_u16(), refused.code()))
        };
        let admin = Some(Role::Admin);
        let withheld = Err((403, "mfa_required"));
        assert_eq!(code(Access::AdminOrInternal, admin), withheld);
        assert_eq!(code(Access::Role(Role::Admin), admin), withheld);
        assert_eq!(code(Access::SignedIn, admin), Ok(()));
        let forbidden = Err((403, "forbidden"));
        assert_eq!(code(Access::Role(Role::Moderator), admin), forbidden);
        assert_eq!(code(Access::Internal, admin), forbidden);
        assert_eq!(code(Access::AdminOrInternal, None), forbidden);
    }
}
