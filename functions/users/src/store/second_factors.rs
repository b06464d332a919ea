//! Second factors: offered, confirmed, used and taken away.

use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, Timestamp, UserId};

use super::{
    Store,
    attempts::not_locked,
    rows::{Row, attempts_key, factor_key, session_key, user_key},
};
use crate::domain::{SecondFactor, Shown, User};

/// Why a second factor could not be offered or confirmed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolFactorError {
    /// The account has one.
    #[error("the account has a second factor")]
    AlreadyOn,
    /// Meanwhile another one was offered, or the account changed.
    #[error("another factor was offered meanwhile")]
    Changed,
    /// The session through which it was asked for is over.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error("enrol a second factor")]
    Store(#[from] StoreError),
}

/// Why a second factor could not be taken away.
#[derive(Debug, thiserror::Error)]
pub enum RemoveFactorError {
    /// Meanwhile the address was locked.
    #[error("the address was locked meanwhile")]
    Locked,
    /// Meanwhile what was shown was used, or the account changed.
    #[error("the factor changed meanwhile")]
    Changed,
    /// The store failed.
    #[error("remove a second factor")]
    Store(#[from] StoreError),
}

/// Everything that turning a second factor on writes.
pub struct Confirmation<'a> {
    /// Whose factor, as read.
    pub user: &'a User,
    /// The factor, as read.
    pub factor: &'a SecondFactor,
    /// The step of the code that was shown.
    pub step: u64,
    /// SHA-256 of each recovery code.
    pub recovery_hashes: Vec<String>,
    /// The session in which the code was shown.
    pub session_id: SessionId,
    /// When.
    pub now: Timestamp,
    /// [`contracts::events::UserMfaEnabled`].
    pub enabled: &'a Envelope,
}

impl Store {
    /// A person's second factor, on or only offered.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn second_factor(&self, id: UserId) -> Result<Option<SecondFactor>, StoreError> {
        self.table.get(factor_key(id)).await
    }

    /// Keeps a factor that is offered, in place of one that was offered before.
    /// One that is on stays.
    ///
    /// # Errors
    /// [`EnrolFactorError`].
    pub async fn offer_factor(
        &self,
        user_id: UserId,
        offered: &SecondFactor,
    ) -> Result<(), EnrolFactorError> {
        let row = Row::expiring(factor_key(user_id), offered, offered.offered_until());
        let none_on = Expression::when("attribute_not_exists(confirmed_at)");
        match self.table.put(&row, none_on).await {
            Ok(()) => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(EnrolFactorError::AlreadyOn),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Turns a factor on: from then on logging in takes it. The session counts
    /// as made with it. Of two at once, one wins, and its recovery codes are
    /// the ones that are good.
    ///
    /// # Errors
    /// [`EnrolFactorError`].
    pub async fn confirm_factor(&self, new: Confirmation<'_>) -> Result<(), EnrolFactorError> {
        let user = new.user;
        let factor = Expression::update(
            "SET confirmed_at = :now, last_step = :step, recovery_hashes = :hashes \
             REMOVE expires_at",
        )
        .only_when("attribute_not_exists(confirmed_at) AND sealed_secret = :seen")
        .value(":now", new.now)
        .value(":step", new.step)
        .string_set(":hashes", new.recovery_hashes)
        .value(":seen", &new.factor.sealed_secret);
        let account = Expression::update("SET mfa_enabled = :on")
            .only_when("attribute_exists(pk) AND attribute_not_exists(mfa_enabled)")
            .value(":on", true);
        let session = Expression::update("SET mfa = :on")
            .only_when("epoch = :epoch")
            .value(":on", true)
            .value(":epoch", user.session_epoch);
        let transaction = self
            .table
            .transaction()
            .update("factor", factor_key(user.id), factor)
            .update("user", user_key(user.id), account)
            .update("session", session_key(user.id, new.session_id), session);
        let events = std::slice::from_ref(new.enabled);
        match self.announcing(transaction, user, events).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event has an id of its own: when it is there, this very
            // transaction happened, and its reply was lost. So the codes that
            // are shown are those that are kept.
            Err(CommitError::ConditionFailed(refused)) if refused.names("event") => Ok(()),
            Err(CommitError::ConditionFailed(refused)) if refused.names("factor") => {
                let found: Option<SecondFactor> = refused.item("factor")?;
                Err(match found.is_some_and(|found| found.is_on()) {
                    true => EnrolFactorError::AlreadyOn,
                    false => EnrolFactorError::Changed,
                })
            }
            Err(CommitError::ConditionFailed(refused)) if refused.names("session") => {
                Err(EnrolFactorError::SessionEnded)
            }
            Err(CommitError::ConditionFailed(_)) => Err(EnrolFactorError::Changed),
        }
    }

    /// Takes a factor away from whoever has shown it, unless it was used
    /// meanwhile, or so many wrong ones were shown that the address is locked.
    /// Other sessions end: none that was made with this factor is to count as
    /// made with the next one.
    ///
    /// # Errors
    /// [`RemoveFactorError`].
    pub async fn remove_factor(
        &self,
        user: &User,
        session_id: SessionId,
        (factor, shown): (&SecondFactor, &Shown),
        disabled: &Envelope,
        now: Timestamp,
    ) -> Result<(), RemoveFactorError> {
        let without = user.without_mfa();
        let session = Expression::update("SET epoch = :new")
            .only_when("epoch = :old")
            .value(":new", without.session_epoch)
            .value(":old", user.session_epoch);
        let address = attempts_key(user.email.as_str());
        let transaction = self
            .table
            .transaction()
            .delete("factor", factor_key(user.id), still_good(factor, shown))
            .update("user", user_key(user.id), without_factor(&without))
            .update("session", session_key(user.id, session_id), session)
            .check("attempts", address, not_locked(now));
        let events = std::slice::from_ref(disabled);
        removed(self.announcing(transaction, user, events).commit().await)
    }

    /// Takes a person's factor away without it having been shown, and ends all
    /// of their sessions, unless the account was changed since it was read.
    ///
    /// # Errors
    /// [`RemoveFactorError`].
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
        let events = std::slice::from_ref(disabled);
        removed(self.announcing(transaction, reset, events).commit().await)
    }
}

/// The account without its factor, unless it was changed since it was read.
fn without_factor(without: &User) -> Expression {
    Expression::update("SET session_epoch = :epoch, version = :version REMOVE mfa_enabled")
        .only_when("version = :seen AND mfa_enabled = :on")
        .value(":epoch", without.session_epoch)
        .value(":version", without.version)
        .value(":seen", without.version.saturating_sub(1))
        .value(":on", true)
}

/// What logging in does to the factor that was shown: it is good no more.
pub(super) fn used_up(factor: &SecondFactor, shown: &Shown) -> Expression {
    match shown {
        Shown::Code { step, resealed } => {
            Expression::update("SET last_step = :step, sealed_secret = :resealed")
                .only_when(CODE_IS_GOOD)
                .value(":resealed", resealed)
                .value(":step", step)
        }
        Shown::RecoveryCode { hash } => Expression::update("DELETE recovery_hashes :used")
            .only_when(RECOVERY_CODE_IS_GOOD)
            .string_set(":used", vec![hash.clone()])
            .value(":hash", hash),
    }
    .value(":seen", &factor.sealed_secret)
}

const CODE_IS_GOOD: &str =
    "attribute_exists(confirmed_at) AND sealed_secret = :seen AND last_step < :step";
const RECOVERY_CODE_IS_GOOD: &str = "attribute_exists(confirmed_at) AND sealed_secret = :seen \
                                     AND contains(recovery_hashes, :hash)";

/// The condition that what was shown was not used meanwhile.
fn still_good(factor: &SecondFactor, shown: &Shown) -> Expression {
    match shown {
        Shown::Code { step, .. } => Expression::when(CODE_IS_GOOD).value(":step", step),
        Shown::RecoveryCode { hash } => {
            Expression::when(RECOVERY_CODE_IS_GOOD).value(":hash", hash)
        }
    }
    .value(":seen", &factor.sealed_secret)
}

fn removed(outcome: Result<(), CommitError>) -> Result<(), RemoveFactorError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(CommitError::Store(error)) => Err(error.into()),
        // This very transaction happened, and its reply was lost.
        Err(CommitError::ConditionFailed(refused)) if refused.names("event") => Ok(()),
        Err(CommitError::ConditionFailed(refused)) if refused.names("attempts") => {
            Err(RemoveFactorError::Locked)
        }
        Err(CommitError::ConditionFailed(_)) => Err(RemoveFactorError::Changed),
    }
}
