//! Sessions: one login on one device, kept alive by refresh tokens.

use std::net::IpAddr;

use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::User;

pub const IDLE_LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);
/// However often the session is refreshed (RFC 9700, section 4.14.2).
pub const ABSOLUTE_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long what was shown at its beginning counts for changes that would hand over
/// the account.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Concurrent sessions of a user; a new one ends the oldest.
pub const SESSIONS_MAX: usize = 20;
/// Sessions that one login removes: as many as fit into its transaction.
const EVICTED_MAX: usize = 80;
/// Characters of the user agent that are stored.
const DEVICE_LENGTH_MAX: usize = 200;

/// A session, which is also a family of refresh tokens: one is valid at a time, and
/// reusing an earlier one ends the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// SHA-256 of the current refresh token.
    pub refresh_hash: String,
    pub created_at: Timestamp,
    pub refreshed_at: Timestamp,
    /// See [`User::session_epoch`].
    pub epoch: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The user agent, which a client can set to anything: for its owner to
    /// recognise, not to rely on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whether it was begun with a second factor. One that was enabled later, or in
    /// it, does not count: whoever has the session may have enrolled their own.
    #[serde(default)]
    pub mfa: bool,
}

impl Session {
    pub fn begin(id: SessionId, user: &User, refresh_hash: String, now: Timestamp) -> Self {
        Self {
            id,
            user_id: user.id,
            refresh_hash,
            created_at: now,
            refreshed_at: now,
            epoch: user.session_epoch,
            ip: None,
            device: None,
            mfa: false,
        }
    }

    /// Adds the client's address and user agent.
    #[must_use]
    pub fn begun_from(mut self, ip: Option<IpAddr>, device: Option<&str>) -> Self {
        let plain = |text: &str| -> String {
            let visible = text.chars().filter(|c| !c.is_control());
            visible.take(DEVICE_LENGTH_MAX).collect()
        };
        self.ip = ip;
        self.device = device.map(plain).filter(|text| !text.is_empty());
        self
    }

    /// The session with its next refresh token.
    #[must_use]
    pub fn refreshed(&self, refresh_hash: String, now: Timestamp) -> Self {
        Self {
            refresh_hash,
            refreshed_at: now,
            ..self.clone()
        }
    }

    /// When it ends unless it is refreshed.
    pub fn ends_at(&self) -> Timestamp {
        let after = |from: Timestamp, lifetime| from.saturating_add(lifetime).unwrap_or(from);
        after(self.refreshed_at, IDLE_LIFETIME).min(after(self.created_at, ABSOLUTE_LIFETIME))
    }

    /// Whether it was begun a short while ago, with all that `user` has.
    pub fn is_fresh(&self, user: &User, now: Timestamp) -> bool {
        let until = self.created_at.saturating_add(FRESH_FOR);
        (self.mfa || !user.mfa_enabled) && now < until.unwrap_or(self.created_at)
    }

    /// Whether it is a session of `user` and has not ended.
    pub fn is_live(&self, user: &User, now: Timestamp) -> bool {
        self.user_id == user.id && self.epoch == user.session_epoch && now < self.ends_at()
    }
}

/// The sessions to remove when a new one begins: those that have ended, and the
/// oldest of the others when there are too many.
pub fn sessions_to_evict(sessions: &[Session], user: &User, now: Timestamp) -> Vec<SessionId> {
    let (mut live, ended): (Vec<_>, Vec<_>) = sessions
        .iter()
        .partition(|session| session.is_live(user, now));
    live.sort_by_key(|session| (session.created_at, session.id));
    let excess = (live.len() + 1).saturating_sub(SESSIONS_MAX);
    live.into_iter()
        .take(excess)
        .chain(ended)
        .map(|session| session.id)
        .take(EVICTED_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::tests::ada;

    fn days(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn a_session_ends_after_14_idle_days() {
        let user = ada();
        let session = Session::begin(testkit::new_id(), &user, "a".into(), days(0));
        let last = days(14) - SignedDuration::from_millis(1);
        assert!(session.is_live(&user, last));
        assert!(!session.is_live(&user, days(14)));
        assert!(session.refreshed("b".into(), last).is_live(&user, days(14)));
    }

    #[test]
    fn a_session_ends_after_30_days_however_often_it_is_refreshed() {
        let user = ada();
        let mut session = Session::begin(testkit::new_id(), &user, "a".into(), days(0));
        for day in 1..30 {
            assert!(session.is_live(&user, days(day)), "day {day}");
            session = session.refreshed(day.to_string(), days(day));
        }
        assert_eq!(session.ends_at(), days(30));
        assert!(!session.is_live(&user, days(30)));
    }

    #[test]
    fn a_session_is_fresh_for_five_minutes_if_begun_with_the_second_factor() {
        let user = ada();
        let session = Session::begin(testkit::new_id(), &user, "a".into(), days(0));
        let last = days(0) + FRESH_FOR - SignedDuration::from_millis(1);
        assert!(session.is_fresh(&user, last) && !session.is_fresh(&user, days(0) + FRESH_FOR));
        let refreshed = session.refreshed("b".into(), last);
        assert!(!refreshed.is_fresh(&user, days(0) + FRESH_FOR));
        let user = User {
            mfa_enabled: true,
            ..user
        };
        assert!(!session.is_fresh(&user, days(0)));
        let session = Session {
            mfa: true,
            ..session
        };
        assert!(session.is_fresh(&user, last));
    }

    #[test]
    fn a_session_of_another_user_or_epoch_is_not_live() {
        let user = ada();
        let session = Session::begin(testkit::new_id(), &user, "a".into(), days(0));
        assert!(!session.is_live(&ada(), days(0)));
        let later = User {
            session_epoch: 1,
            ..user
        };
        assert!(!session.is_live(&later, days(0)));
    }

    #[test]
    fn a_new_session_evicts_ended_ones_and_the_oldest_of_twenty() {
        let user = ada();
        let begun = |minute: i64| {
            let at = days(20) + SignedDuration::from_mins(minute);
            Session::begin(testkit::new_id(), &user, "a".into(), at)
        };
        let mut sessions: Vec<Session> = (0..19).map(begun).collect();
        assert_eq!(sessions_to_evict(&sessions, &user, days(21)), []);
        sessions.insert(0, begun(19));
        let oldest = sessions[1].id;
        assert_eq!(sessions_to_evict(&sessions, &user, days(21)), [oldest]);
        let idle = Session::begin(testkit::new_id(), &user, "a".into(), days(1));
        sessions.push(idle.clone());
        assert_eq!(
            sessions_to_evict(&sessions, &user, days(21)),
            [oldest, idle.id]
        );
    }

    #[test]
    fn a_device_is_one_line_of_bounded_length() {
        let session = Session::begin(testkit::new_id(), &ada(), "a".into(), days(0));
        let named = |device: Option<&str>| session.clone().begun_from(None, device).device;
        assert_eq!(named(Some("Fire\nfox/1")), Some("Firefox/1".into()));
        assert_eq!(named(Some(&"x".repeat(999))).unwrap().len(), 200);
        assert_eq!((named(None), named(Some(""))), (None, None));
    }
}
