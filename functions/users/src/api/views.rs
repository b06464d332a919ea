//! What clients see.

use std::net::IpAddr;

use kernel::{Timestamp, UserId};
use kernel::Role;
use serde::Serialize;

use crate::{
    app::SignIns,
    domain::{
        Avatar, Bio, BirthDate, Email, Gender, PersonName, Phone, Preferences, Profile, Session,
        Status, User, withheld_role,
    },
    tokens::{ACCESS_LIFETIME, RefreshToken, SignError},
};

/// A user; what is not named here is never shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView<'a> {
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

/// What else a person says of themselves. All members are always there, so
/// that a client sees what can be said.
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

/// A user as those who run the shop see them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserDetails<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    last_login_at: Option<Timestamp>,
    last_login_ip: Option<IpAddr>,
    /// When it is going to be erased, if its owner closed it.
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

/// A user who has just been signed in, with the tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedInView<'a> {
    user: UserView<'a>,
    token: String,
    refresh_token: String,
    /// Seconds for which `token` is good.
    expires_in: i64,
    token_type: &'static str,
}

impl<'a> SignedInView<'a> {
    /// The view, with a new access token of the session.
    pub(super) fn new(
        app: &SignIns,
        user: &'a User,
        session: &Session,
        refresh: &RefreshToken,
    ) -> Result<Self, SignError> {
        let now = session.refreshed_at;
        let withheld = withheld_role(session, user, app.admin_mfa);
        let role = withheld.map_or(user.role, |_| Role::User);
        Ok(Self {
            token: app.tokens.issue(user.id, session.id, role, now)?,
            user: user.into(),
            refresh_token: refresh.reveal(),
            expires_in: ACCESS_LIFETIME.as_secs(),
            token_type: "Bearer",
        })
    }
}
