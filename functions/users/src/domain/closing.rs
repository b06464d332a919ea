//! Closing an account: first it rests, and a log-in brings it back; then it is
//! erased.

use kernel::{SignedDuration, Timestamp};

use super::{Status, User};

/// How long a person who closed an account can come back to it, in days, when
/// nothing else is said.
pub const GRACE_DAYS: u32 = 30;

/// So many days.
pub fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days) * 24)
}

impl User {
    /// The account, closed by its owner, who can come back for `grace`; `None`
    /// when it is not in use. Its sessions are over.
    pub fn closed(&self, now: Timestamp, grace: SignedDuration) -> Option<Self> {
        self.is_active().then(|| Self {
            status: Status::Inactive,
            erase_at: Some(now.saturating_add(grace).unwrap_or(Timestamp::MAX)),
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// Whether its owner may come back to it: what the shop has closed or
    /// suspended is not theirs to open, before or after they closed it.
    pub fn may_return(&self, now: Timestamp) -> bool {
        let in_time = self.erase_at.is_some_and(|at| now < at);
        self.status == Status::Inactive && in_time && !self.shut && !self.erasing
    }

    /// Whether somebody with its password may sign in.
    pub fn may_sign_in(&self, now: Timestamp) -> bool {
        self.is_active() || self.may_return(now)
    }

    /// The account with its owner back in it.
    #[must_use]
    pub fn returned(&self) -> Self {
        Self {
            status: Status::Active,
            erase_at: None,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Whether its time is over.
    pub fn is_to_be_erased(&self, now: Timestamp) -> bool {
        self.erase_at.is_some_and(|at| at <= now)
    }

    /// What is left of it while the rest goes: that it has to be erased.
    #[must_use]
    pub fn erased(&self, now: Timestamp) -> Self {
        Self {
            status: self.status,
            erase_at: self.erase_at,
            erasing: true,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..Self::nobody(self.id, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{UserChange, user::tests::ada};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

    fn set(user: &User, status: Status) -> User {
        let change = UserChange {
            role: None,
            status: Some(status),
        };
        user.changed(change).unwrap()
    }

    #[test]
    fn its_owner_may_come_back_for_thirty_days() {
        assert_eq!(days(GRACE_DAYS), GRACE);
        let user = ada();
        let closed = user.closed(NOW, GRACE).unwrap();
        assert_eq!((closed.session_epoch, closed.version), (1, 2));
        assert_eq!(closed.closed(NOW, GRACE), None, "it is closed");
        let last = NOW + GRACE - SignedDuration::from_millis(1);
        assert!(closed.may_return(last) && !closed.is_to_be_erased(last));
        assert!(!closed.may_return(NOW + GRACE) && closed.is_to_be_erased(NOW + GRACE));
        let back = closed.returned();
        assert!(back.is_active() && !back.is_to_be_erased(NOW + GRACE));
        assert_eq!((back.session_epoch, back.version), (1, 3));
    }

    #[test]
    fn what_an_admin_closed_is_not_its_owners_to_open() {
        for status in [Status::Inactive, Status::Suspended, Status::Pending] {
            let shut = set(&ada(), status);
            assert!(!shut.may_sign_in(NOW) && !shut.is_to_be_erased(NOW + GRACE));
        }
        let suspended = set(&ada().closed(NOW, GRACE).unwrap(), Status::Suspended);
        assert!(!suspended.may_sign_in(NOW));
        assert!(suspended.is_to_be_erased(NOW + GRACE), "it was asked for");
        let rested = set(&suspended, Status::Inactive);
        assert!(!rested.may_sign_in(NOW) && rested.is_to_be_erased(NOW + GRACE));
        let closed = set(&ada().closed(NOW, GRACE).unwrap(), Status::Inactive);
        assert!(!closed.may_sign_in(NOW) && closed.is_to_be_erased(NOW + GRACE));
        let opened = set(&suspended, Status::Active);
        assert!(!opened.is_to_be_erased(NOW + GRACE));
        let again = opened.closed(NOW, GRACE).unwrap();
        assert!(again.may_sign_in(NOW), "that was its owner");
    }

    #[test]
    fn nothing_of_the_person_is_left() {
        let erased = ada().closed(NOW, GRACE).unwrap().erased(NOW + GRACE);
        let text = serde_json::to_string(&erased).unwrap();
        assert!(!text.to_lowercase().contains("ada"), "{text}");
        assert!(erased.is_to_be_erased(NOW + GRACE) && !erased.may_sign_in(NOW));
    }
}
