//! Who calls, and who may call.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use http::request::Parts;
use kernel::{Actor, Principal, Role};
use lambda_http::{RequestExt, request::RequestContext};
use serde_json::Value;

use super::ApiError;

/// What a client is told to wait when the authorizer cannot read sessions.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Who may call an endpoint. There is no default: each one declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody with a session.
    SignedIn,
    /// Admins, and machine clients with the internal key.
    AdminOrInternal,
}

/// Who calls, as the authorizer determined. None of it is read from a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody unknown, with the reason, such as `token_expired`.
    Anonymous {
        /// The authorizer's reason, when a token was sent.
        reason: Option<String>,
    },
    /// A person with a session.
    User(Principal),
    /// A machine client with the internal key.
    Internal,
}

/// The person who calls, as an extractor; whoever has no session is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn(pub Principal);

impl Deref for SignedIn {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl Caller {
    /// Reads what the authorizer put into the request's context. A caller of
    /// whom anything is missing or unreadable is anonymous.
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
            Some(Principal {
                user_id: text("userId")?.parse().ok()?,
                session_id: text("sessionId")?.parse().ok()?,
                role: Role::from_name(text("role")?)?,
                withheld: text("withheld").and_then(Role::from_name),
                // Absent while an older authorizer is being replaced, which does
                // not know; it costs people a purchase to be taken for unverified.
                unverified: text("unverified") == Some("true"),
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
            Self::AdminOrInternal => role == Role::Admin,
        }
    }

    /// Admits the caller, or refuses with the reason.
    pub(super) fn decide(self, caller: &Caller) -> Result<(), ApiError> {
        let allowed = match (self, caller) {
            (Self::Public, _) | (Self::AdminOrInternal, Caller::Internal) => true,
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
            Some(Caller::User(person)) => Ok(Self(*person)),
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
    use kernel::{SessionId, UserId};
    use uuid::Uuid;

    use super::*;

    fn ids() -> (UserId, SessionId) {
        (Uuid::from_u128(1).into(), Uuid::from_u128(2).into())
    }

    #[test]
    fn each_access_lets_in_exactly_whom_it_says() {
        let person = |role| {
            Caller::User(Principal {
                user_id: ids().0,
                session_id: ids().1,
                role,
                withheld: None,
                unverified: false,
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
        assert_eq!(status(Access::AdminOrInternal), [401, 403, 403, 200, 200]);
    }

    #[test]
    fn a_role_that_is_withheld_gives_no_right_and_is_told_apart_from_none() {
        let caller = |withheld| {
            Caller::User(Principal {
                user_id: ids().0,
                session_id: ids().1,
                role: Role::User,
                withheld,
                unverified: false,
            })
        };
        let code = |access: Access, withheld| {
            let decided = access.decide(&caller(withheld));
            decided.map_err(|refused| (refused.status().as_u16(), refused.code()))
        };
        let admin = Some(Role::Admin);
        let withheld = Err((403, "mfa_required"));
        assert_eq!(code(Access::AdminOrInternal, admin), withheld);
        assert_eq!(code(Access::SignedIn, admin), Ok(()));
        let forbidden = Err((403, "forbidden"));
        assert_eq!(code(Access::AdminOrInternal, None), forbidden);
        let moderator = Some(Role::Moderator);
        assert_eq!(code(Access::AdminOrInternal, moderator), forbidden);
    }
}
