//! What clients see.

use std::net::IpAddr;

use contracts::Envelope;
use kernel::{EventId, Role, SessionId, Timestamp, UserId};
use serde::Serialize;
use serde_json::Value;

use crate::{
    credentials::tokens::{ACCESS_LIFETIME, RefreshToken},
    domain::{
        Avatar, Bio, BirthDate, Email, Gender, PersonName, Phone, Preferences, Profile, Proven,
        Session, Status, User,
    },
};

/// The prefix of members with a token that is sealed for another service.
const SEALED: &str = "sealed";

/// A user as they see themselves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct UserView<'a> {
    id: UserId,
    email: &'a Email,
    name: &'a PersonName,
    phone: Option<&'a Phone>,
    role: Role,
    status: Status,
    email_verified: bool,
    mfa_enabled: bool,
    created_at: Timestamp,
    #[serde(flatten)]
    profile: ProfileView<'a>,
}

/// Every member is always present, so that a client sees which there are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileView<'a> {
    bio: Option<&'a Bio>,
    avatar: Option<&'a Avatar>,
    birth_date: Option<BirthDate>,
    gender: Option<Gender>,
    preferences: Preferences,
}

impl<'a> From<&'a Profile> for ProfileView<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self {
            bio: profile.bio.as_ref(),
            avatar: profile.avatar.as_ref(),
            birth_date: profile.birth_date,
            gender: profile.gender,
            preferences: profile.preferences,
        }
    }
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            email: &user.email,
            name: &user.name,
            phone: user.phone.as_ref(),
            role: user.role,
            status: user.status,
            email_verified: user.email_verified,
            mfa_enabled: user.mfa_enabled,
            created_at: user.created_at,
            profile: (&user.profile).into(),
        }
    }
}

/// A user as admins see them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct UserDetails<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    last_login_at: Option<Timestamp>,
    last_login_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_at: Option<Timestamp>,
}

impl<'a> From<&'a User> for UserDetails<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            user: user.into(),
            last_login_at: user.last_login_at,
            last_login_ip: user.last_login_ip,
            erase_at: user.erase_at,
        }
    }
}

/// A user who has begun or refreshed a session, with the tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct SignedInView<'a> {
    user: UserView<'a>,
    token: String,
    refresh_token: String,
    /// The lifetime of `token`, in seconds.
    expires_in: i64,
    token_type: &'static str,
    /// By which the device is known at the next login; refreshing gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
}

impl<'a> SignedInView<'a> {
    pub(super) fn new(user: &'a User, access_token: String, refresh: &RefreshToken) -> Self {
        Self {
            user: user.into(),
            token: access_token,
            refresh_token: refresh.reveal(),
            expires_in: ACCESS_LIFETIME.as_secs(),
            token_type: "Bearer",
            device_token: None,
        }
    }

    #[must_use]
    pub(in crate::api) fn with_device_token(mut self, token: String) -> Self {
        self.device_token = Some(token);
        self
    }
}

/// What proof of the mailbox has ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ProofView {
    sessions_ended: &'static str,
    mfa_disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
}

impl ProofView {
    /// For an address that was verified before.
    pub(in crate::api) const NOTHING: Self = Self {
        sessions_ended: "none",
        mfa_disabled: false,
        device_token: None,
    };

    /// `session_id` is the session that goes on.
    pub(in crate::api) fn new(proven: &Proven, session_id: Option<SessionId>) -> Self {
        Self {
            sessions_ended: session_id.map_or("all", |_| "others"),
            mfa_disabled: proven.disables_mfa,
            device_token: None,
        }
    }

    #[must_use]
    pub(in crate::api) fn with_device_token(mut self, token: String) -> Self {
        self.device_token = Some(token);
        self
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct SessionView<'a> {
    id: SessionId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    ends_at: Timestamp,
    ip: Option<IpAddr>,
    device: Option<&'a str>,
    mfa: bool,
    current: bool,
}

impl<'a> SessionView<'a> {
    /// A session as seen from the session `current`.
    pub(in crate::api) fn new(session: &'a Session, current: SessionId) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.refreshed_at,
            ends_at: session.ends_at(),
            ip: session.ip,
            device: session.device.as_deref(),
            mfa: session.mfa,
            current: session.id == current,
        }
    }
}

/// An event in the history of a user, without the tokens in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct EventView {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    at: Timestamp,
    data: Value,
    correlation_id: String,
    causation_id: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<IpAddr>,
}

impl EventView {
    /// An event as admins see it: also where a machine client acted from.
    pub(in crate::api) fn for_admins(event: Envelope) -> Self {
        let source_ip = event.sourceip;
        Self {
            source_ip,
            ..Self::from(event)
        }
    }
}

impl From<Envelope> for EventView {
    fn from(event: Envelope) -> Self {
        Self {
            id: event.id,
            event_type: event.event_type,
            at: event.time,
            data: without_tokens(event.data),
            correlation_id: event.correlationid,
            causation_id: event.causationid,
            actor: event.actor,
            client_request_id: event.clientrequestid,
            client_correlation_id: event.clientcorrelationid,
            source_ip: None,
        }
    }
}

fn without_tokens(mut data: Value) -> Value {
    if let Value::Object(members) = &mut data {
        members.retain(|name, _| !name.starts_with(SEALED));
    }
    data
}
