//! Closing an account: during a grace period a login reopens it, then it is erased.

use kernel::{SignedDuration, Timestamp};

use super::{Status, User};

/// The default grace period, in days.
pub const GRACE_DAYS: u32 = 30;

pub fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days) * 24)
}

impl User {
    /// The account, closed by its owner, who can reopen it within `grace`; `None`
    /// when it is not active. Its sessions end.
    pub fn closed(&self, now: Timestamp, grace: SignedDuration) -> Option<Self> {
        self.is_active().then(|| Self {
            status: Status::Inactive,
            erase_at: Some(now.saturating_add(grace).unwrap_or(Timestamp::MAX)),
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// Whether its owner may reopen it. They may not when an admin closed or
    /// suspended it, before or after they did.
    pub fn may_reactivate(&self, now: Timestamp) -> bool {
        let within_grace = self.erase_at.is_some_and(|at| now < at);
        self.status == Status::Inactive && within_grace && !self.disabled_by_admin && !self.erasing
    }

    /// Whether somebody with the password may log in.
    pub fn may_sign_in(&self, now: Timestamp) -> bool {
        self.is_active() || self.may_reactivate(now)
    }

    /// The account, reopened by its owner.
    #[must_use]
    pub fn reactivated(&self) -> Self {
        Self {
            status: Status::Active,
            erase_at: None,
            version: self.version + 1,
            ..self.clone()
        }
    }

    pub fn is_due_for_erasure(&self, now: Timestamp) -> bool {
        self.erase_at.is_some_and(|at| at <= now)
    }

    /// What is left of the account until all its items are deleted.
    #[must_use]
    pub fn tombstone(&self, now: Timestamp) -> Self {
        Self {
            status: self.status,
            erase_at: self.erase_at,
            erasing: true,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..Self::placeholder(self.id, now)
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
    fn an_owner_can_reopen_an_account_for_thirty_days() {
        assert_eq!(days(GRACE_DAYS), GRACE);
        let user = ada();
        let closed = user.closed(NOW, GRACE).unwrap();
        assert_eq!((closed.session_epoch, closed.version), (1, 2));
        assert_eq!(closed.closed(NOW, GRACE), None, "already closed");
        let last = NOW + GRACE - SignedDuration::from_millis(1);
        assert!(closed.may_reactivate(last) && !closed.is_due_for_erasure(last));
        assert!(!closed.may_reactivate(NOW + GRACE) && closed.is_due_for_erasure(NOW + GRACE));
        let reopened = closed.reactivated();
        assert!(reopened.is_active() && !reopened.is_due_for_erasure(NOW + GRACE));
        assert_eq!((reopened.session_epoch, reopened.version), (1, 3));
    }

    #[test]
    fn an_owner_cannot_reopen_what_an_admin_closed() {
        for status in [Status::Inactive, Status::Suspended, Status::Pending] {
            let disabled = set(&ada(), status);
            assert!(!disabled.may_sign_in(NOW) && !disabled.is_due_for_erasure(NOW + GRACE));
        }
        let suspended = set(&ada().closed(NOW, GRACE).unwrap(), Status::Suspended);
        assert!(!suspended.may_sign_in(NOW));
        assert!(
            suspended.is_due_for_erasure(NOW + GRACE),
            "its owner asked for it"
        );
        let inactive = set(&suspended, Status::Inactive);
        assert!(!inactive.may_sign_in(NOW) && inactive.is_due_for_erasure(NOW + GRACE));
        let closed = set(&ada().closed(NOW, GRACE).unwrap(), Status::Inactive);
        assert!(!closed.may_sign_in(NOW) && closed.is_due_for_erasure(NOW + GRACE));
        let reopened = set(&suspended, Status::Active);
        assert!(!reopened.is_due_for_erasure(NOW + GRACE));
        let again = reopened.closed(NOW, GRACE).unwrap();
        assert!(again.may_sign_in(NOW), "closed by its owner this time");
    }

    #[test]
    fn a_tombstone_has_no_personal_data() {
        let tombstone = ada().closed(NOW, GRACE).unwrap().tombstone(NOW + GRACE);
        let text = serde_json::to_string(&tombstone).unwrap();
        assert!(!text.to_lowercase().contains("ada"), "{text}");
        assert!(tombstone.is_due_for_erasure(NOW + GRACE) && !tombstone.may_sign_in(NOW));
    }
}
