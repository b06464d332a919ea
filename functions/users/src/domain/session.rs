//! Sessions: one sign-in on one device, kept alive by a refresh token.

use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::User;

/// How long a session lives when it is not refreshed.
pub const IDLE_LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a session lives however often it is refreshed (RFC 9700, 4.14.2).
pub const ABSOLUTE_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A session. It is also the family of its refresh tokens: there is one good
/// one at a time, and using an earlier one ends the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// SHA-256 of the refresh token that is good now.
    pub refresh_hash: String,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the refresh token was last changed.
    pub refreshed_at: Timestamp,
    /// The epoch of the user's sessions that this one belongs to.
    pub epoch: u32,
}

impl Session {
    /// A session that begins now.
    pub fn begin(id: SessionId, user: &User, refresh_hash: String, now: Timestamp) -> Self {
        Self {
            id,
            user_id: user.id,
            refresh_hash,
            created_at: now,
            refreshed_at: now,
            epoch: user.session_epoch,
        }
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

    /// When it is over if nothing happens.
    pub fn ends_at(&self) -> Timestamp {
        let after = |from: Timestamp, lifetime| from.saturating_add(lifetime).unwrap_or(from);
        after(self.refreshed_at, IDLE_LIFETIME).min(after(self.created_at, ABSOLUTE_LIFETIME))
    }

    /// Whether it is a session of `user` that is not over.
    pub fn is_live(&self, user: &User, now: Timestamp) -> bool {
        self.user_id == user.id && self.epoch == user.session_epoch && now < self.ends_at()
    }
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
        let session = Session::begin(SessionId::generate(), &user, "a".into(), days(0));
        let last = days(14) - SignedDuration::from_millis(1);
        assert!(session.is_live(&user, last));
        assert!(!session.is_live(&user, days(14)));
        assert!(session.refreshed("b".into(), last).is_live(&user, days(14)));
    }

    #[test]
    fn a_session_ends_after_30_days_however_it_is_used() {
        let user = ada();
        let mut session = Session::begin(SessionId::generate(), &user, "a".into(), days(0));
        for day in 1..30 {
            assert!(session.is_live(&user, days(day)), "day {day}");
            session = session.refreshed(day.to_string(), days(day));
        }
        assert_eq!(session.ends_at(), days(30));
        assert!(!session.is_live(&user, days(30)));
    }

    #[test]
    fn a_session_of_another_person_or_epoch_is_not_live() {
        let user = ada();
        let session = Session::begin(SessionId::generate(), &user, "a".into(), days(0));
        assert!(!session.is_live(&ada(), days(0)));
        let later = User {
            session_epoch: 1,
            ..user
        };
        assert!(!session.is_live(&later, days(0)));
    }
}
