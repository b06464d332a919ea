//! Enrolling, confirming, using and removing second factors.

use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, Timestamp, UserId};
use serde::de::IgnoredAny;

use super::{
    Store,
    login_failures::not_locked,
    outbox::announce,
    rows::{Row, factor_key, session_key, source_failures_key, user_key},
};
use crate::domain::{Guess, SOURCE_LIMIT, SecondFactor, Source, User, VerifiedFactor};

#[derive(Debug, thiserror::Error)]
pub enum EnrolFactorError {
    /// Since the read, too many failures were recorded.
    #[error("the session was locked concurrently")]
    Locked,
    #[error("the account has a second factor")]
    AlreadyEnabled,
    /// Since the read, another enrolment was begun or the account changed.
    #[error("another enrolment was begun concurrently")]
    Changed,
    #[error("the session has ended")]
    SessionEnded,
    #[error("enrol a second factor")]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum RemoveFactorError {
    /// Since the read, too many failures were recorded.
    #[error("the session was locked concurrently")]
    Locked,
    /// Since the read, the code was used or the account changed.
    #[error("the second factor changed concurrently")]
    Changed,
    #[error("remove a second factor")]
    Store(#[from] StoreError),
}

/// What enabling a second factor writes.
pub struct Confirmation<'a> {
    /// The user as read.
    pub user: &'a User,
    /// The factor as read.
    pub factor: &'a SecondFactor,
    /// The time step of the code that was verified.
    pub time_step: u64,
    /// SHA-256 of each recovery code.
    pub recovery_hashes: Vec<String>,
    /// The session of the request.
    pub session_id: SessionId,
    pub now: Timestamp,
    /// [`contracts::events::UserMfaEnabled`].
    pub enabled: &'a Envelope,
}

impl Store {
    /// A user's second factor, confirmed or pending.
    pub async fn second_factor(&self, id: UserId) -> Result<Option<SecondFactor>, StoreError> {
        self.table.get(factor_key(id)).await
    }

    /// Stores a pending factor in place of an earlier pending one.
    pub async fn enroll_factor(
        &self,
        user_id: UserId,
        pending: &SecondFactor,
    ) -> Result<(), EnrolFactorError> {
        let row = Row::expiring(factor_key(user_id), pending, pending.confirm_before());
        let none_confirmed = Expression::when("attribute_not_exists(confirmed_at)");
        match self.table.put(&row, none_confirmed).await {
            Ok(()) => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(EnrolFactorError::AlreadyEnabled),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Enables a pending factor: from then on logging in requires it. The session of
    /// the request, which must go on, does not count as begun with it. Of two concurrent
    /// confirmations, one succeeds, and only its recovery codes are valid. A session that was
    /// locked since its failures were read confirms nothing.
    pub async fn confirm_factor(&self, new: Confirmation<'_>) -> Result<(), EnrolFactorError> {
        let user = new.user;
        let factor = Expression::update(
            "SET confirmed_at = :now, last_step = :step, recovery_hashes = :hashes \
             REMOVE expires_at",
        )
        .only_when("attribute_not_exists(confirmed_at) AND sealed_secret = :seen")
        .value(":now", new.now)
        .value(":step", new.time_step)
        .string_set(":hashes", new.recovery_hashes)
        .value(":seen", &new.factor.sealed_secret);
        // The session's own epoch does not show that proof of the mailbox ended it.
        let account = Expression::update("SET mfa_enabled = :yes")
            .only_when("session_epoch = :epoch AND attribute_not_exists(mfa_enabled)")
            .value(":yes", true)
            .value(":epoch", user.session_epoch);
        let session = Expression::when("epoch = :epoch").value(":epoch", user.session_epoch);
        let failures = source_failures_key(Guess {
            email: user.email.as_str(),
            source: &Source::Session(new.session_id),
        });
        let transaction = self
            .table
            .transaction()
            .update("factor", factor_key(user.id), factor)
            .update("user", user_key(user.id), account)
            .check("session", session_key(user.id, new.session_id), session)
            .check("failures", failures, not_locked(&SOURCE_LIMIT, new.now));
        let transaction = announce(transaction, user, std::slice::from_ref(new.enabled));
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event exists already: the reply to this transaction was lost, and
            // the recovery codes that the client gets are the stored ones.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("event") => Ok(()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("failures") => {
                Err(EnrolFactorError::Locked)
            }
            Err(CommitError::ConditionFailed(failed)) if failed.includes("factor") => {
                let found: Option<SecondFactor> = failed.item("factor")?;
                Err(match found.is_some_and(|found| found.is_confirmed()) {
                    true => EnrolFactorError::AlreadyEnabled,
                    false => EnrolFactorError::Changed,
                })
            }
            Err(CommitError::ConditionFailed(failed)) if failed.includes("session") => {
                Err(EnrolFactorError::SessionEnded)
            }
            Err(CommitError::ConditionFailed(_)) => Err(EnrolFactorError::Changed),
        }
    }

    /// Uses up a code; false when it was used, or the factor removed, since the
    /// factor was read. After a lost reply it is false too, and the user sends the
    /// next code.
    pub async fn use_code(
        &self,
        user_id: UserId,
        factor: &SecondFactor,
        verified: &VerifiedFactor,
    ) -> Result<bool, StoreError> {
        let used = use_factor(factor, verified);
        let outcome = self
            .table
            .update::<IgnoredAny>(factor_key(user_id), used)
            .await;
        match outcome {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Disables a factor after a code of it was verified, unless the code was used
    /// or the session was locked since. Other sessions end: none that was begun
    /// with this factor may count as begun with the next one.
    pub async fn remove_factor(
        &self,
        user: &User,
        session_id: SessionId,
        (factor, verified): (&SecondFactor, &VerifiedFactor),
        disabled: &Envelope,
        now: Timestamp,
    ) -> Result<(), RemoveFactorError> {
        let without = user.without_mfa();
        let session = Expression::update("SET epoch = :new, mfa = :no")
            .only_when("epoch = :old")
            .value(":no", false)
            .value(":new", without.session_epoch)
            .value(":old", user.session_epoch);
        let failures = source_failures_key(Guess {
            email: user.email.as_str(),
            source: &Source::Session(session_id),
        });
        let transaction = self
            .table
            .transaction()
            .delete("factor", factor_key(user.id), unused(factor, verified))
            .update("user", user_key(user.id), without_factor(&without))
            .update("session", session_key(user.id, session_id), session)
            .check("failures", failures, not_locked(&SOURCE_LIMIT, now));
        let transaction = announce(transaction, user, std::slice::from_ref(disabled));
        removed(transaction.commit().await)
    }

    /// Removes a factor without a code of it, and ends all sessions, unless the user
    /// was changed since it was read.
    pub async fn reset_factor(
        &self,
        reset: &User,
        disabled: &Envelope,
    ) -> Result<(), RemoveFactorError> {
        let transaction = self
            .table
            .transaction()
            .update("user", user_key(reset.id), without_factor(reset))
            .delete("factor", factor_key(reset.id), Expression::default());
        let transaction = announce(transaction, reset, std::slice::from_ref(disabled));
        removed(transaction.commit().await)
    }
}

/// The user without a factor, unless it was changed since it was read.
fn without_factor(without: &User) -> Expression {
    Expression::update("SET session_epoch = :epoch, version = :version REMOVE mfa_enabled")
        .only_when("version = :seen AND mfa_enabled = :yes")
        .value(":epoch", without.session_epoch)
        .value(":version", without.version)
        .value(":seen", without.version.saturating_sub(1))
        .value(":yes", true)
}

const CODE_IS_UNUSED: &str =
    "attribute_exists(confirmed_at) AND sealed_secret = :seen AND last_step < :step";
const RECOVERY_CODE_IS_UNUSED: &str = "attribute_exists(confirmed_at) AND sealed_secret = :seen \
                                       AND contains(recovery_hashes, :hash)";

/// Uses up a code, unless it was used since the factor was read.
pub(super) fn use_factor(factor: &SecondFactor, verified: &VerifiedFactor) -> Expression {
    match verified {
        VerifiedFactor::Totp {
            time_step,
            resealed,
        } => Expression::update("SET last_step = :step, sealed_secret = :resealed")
            .only_when(CODE_IS_UNUSED)
            .value(":resealed", resealed)
            .value(":step", time_step),
        VerifiedFactor::RecoveryCode { hash } => Expression::update("DELETE recovery_hashes :used")
            .only_when(RECOVERY_CODE_IS_UNUSED)
            .string_set(":used", vec![hash.clone()])
            .value(":hash", hash),
    }
    .value(":seen", &factor.sealed_secret)
}

/// The condition that a code was not used since the factor was read.
fn unused(factor: &SecondFactor, verified: &VerifiedFactor) -> Expression {
    match verified {
        VerifiedFactor::Totp { time_step, .. } => {
            Expression::when(CODE_IS_UNUSED).value(":step", time_step)
        }
        VerifiedFactor::RecoveryCode { hash } => {
            Expression::when(RECOVERY_CODE_IS_UNUSED).value(":hash", hash)
        }
    }
    .value(":seen", &factor.sealed_secret)
}

fn removed(outcome: Result<(), CommitError>) -> Result<(), RemoveFactorError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(CommitError::Store(error)) => Err(error.into()),
        // The event exists already: the reply to this transaction was lost.
        Err(CommitError::ConditionFailed(failed)) if failed.includes("event") => Ok(()),
        Err(CommitError::ConditionFailed(failed)) if failed.includes("failures") => {
            Err(RemoveFactorError::Locked)
        }
        Err(CommitError::ConditionFailed(_)) => Err(RemoveFactorError::Changed),
    }
}
