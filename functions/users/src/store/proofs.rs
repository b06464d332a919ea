//! Proofs: what the tokens in mails are good for, each kept under the hash of
//! its token, for one use.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep, Key, ConditionFailed, StoreError, Transaction};
use kernel::{SessionId, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Store,
    rows::{
        EmailOwner, Row, attempts_key, email_key, event_sort_key, later, session_key, user_key,
        user_partition,
    },
};
use crate::domain::{Proof, RESET_LIFETIME, User};

/// What a token is for. One that is for one thing is nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To verify an address.
    Verification,
    /// To set a new password.
    Reset,
}

/// Why a proof was not used.
#[derive(Debug, thiserror::Error)]
pub enum UseProofError {
    /// It was used before, or its time is over.
    #[error("the token was used or is too old")]
    Spent,
    /// Somebody else has an account with the address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The account was changed meanwhile.
    #[error("the account was changed meanwhile")]
    Conflict,
    /// The store failed.
    #[error("use a proof")]
    Store(#[from] StoreError),
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The account, or its password, was changed meanwhile.
    #[error("the account was changed meanwhile")]
    Conflict,
    /// The session through which it was asked for is over.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error("change the password")]
    Store(#[from] StoreError),
}

/// An item that means nothing: what is written where there is nobody to write
/// to, so that it takes as long.
#[derive(Serialize)]
struct Decoy {
    decoy: String,
}

impl Store {
    /// What a token proves, if it was not used.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn proof(
        &self,
        purpose: Purpose,
        token_hash: &str,
    ) -> Result<Option<Proof>, StoreError> {
        self.table.get(proof_key(purpose, token_hash)).await
    }

    /// Keeps a new proof, and announces the mail with its token.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue(
        &self,
        purpose: Purpose,
        token_hash: &str,
        proof: &Proof,
        announced: &Envelope,
    ) -> Result<(), StoreError> {
        let row = proof_row(purpose, token_hash, proof);
        let outcome = self
            .table
            .transaction()
            .insert("proof", &row)
            .announce(
                &user_partition(proof.user_id),
                &event_sort_key(announced),
                announced,
                // Not history, and it has an address and a token in it.
                Keep::ThirtyDays,
            )
            .commit()
            .await;
        settled(outcome)
    }

    /// Writes as much as [`Self::issue`] does, and nothing that anybody reads:
    /// so that nobody can tell from the time whether there is an account.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pretend_to_issue(
        &self,
        proof: &Proof,
        announced: &Envelope,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let decoy = || Key::new(format!("DECOY#{}", Uuid::now_v7()), "DECOY");
        let (first, second) = (decoy(), decoy());
        let decoy = Decoy {
            decoy: serde_json::to_string(announced).unwrap_or_default(),
        };
        let until = later(now, RESET_LIFETIME);
        let outcome = self
            .table
            .transaction()
            .insert("proof", &Row::expiring(first, proof, until))
            .insert("event", &Row::expiring(second, &decoy, until))
            .commit()
            .await;
        settled(outcome)
    }

    /// Uses a proof of an address: the account as it is then, its new address
    /// when it has one, and the events.
    ///
    /// # Errors
    /// [`UseProofError`].
    pub async fn verify_email(
        &self,
        token_hash: &str,
        proof: &Proof,
        verified: &User,
        events: &[Envelope],
        now: Timestamp,
    ) -> Result<(), UseProofError> {
        let mut transaction = self
            .spending(Purpose::Verification, token_hash, now)
            .update("user", user_key(verified.id), Self::changed_user(verified));
        if let Some(old) = &proof.replaces {
            let owner = EmailOwner {
                user_id: verified.id,
            };
            transaction = transaction
                .insert("email", &Row::new(email_key(proof.email.as_str()), &owner))
                .delete("old email", email_key(old.as_str()), Expression::default());
        }
        used(
            self.announcing(transaction, verified, events)
                .commit()
                .await,
        )
    }

    /// Uses up a proof that changes nothing any more.
    ///
    /// # Errors
    /// [`UseProofError`].
    pub async fn spend(
        &self,
        purpose: Purpose,
        token_hash: &str,
        now: Timestamp,
    ) -> Result<(), UseProofError> {
        used(self.spending(purpose, token_hash, now).commit().await)
    }

    /// Uses a proof to set a new password. It ends every session and all that
    /// was counted of wrong passwords: the person has just shown who they are.
    /// Where that takes a second factor too, what was counted stays: whoever
    /// reads somebody's mail gets no more guesses at the codes.
    ///
    /// # Errors
    /// [`UseProofError`].
    pub async fn reset_password(
        &self,
        token_hash: &str,
        changed: &User,
        announced: &Envelope,
        now: Timestamp,
    ) -> Result<(), UseProofError> {
        let transaction = self.spending(Purpose::Reset, token_hash, now).update(
            "user",
            user_key(changed.id),
            changed_password(changed),
        );
        let transaction = forgetting_failures(transaction, changed);
        let events = std::slice::from_ref(announced);
        used(self.announcing(transaction, changed, events).commit().await)
    }

    /// Sets a new password for whoever knew the one before, and takes the
    /// session through which it is done into the new epoch.
    ///
    /// # Errors
    /// [`ChangePasswordError`].
    pub async fn change_password(
        &self,
        session_id: SessionId,
        seen: &User,
        changed: &User,
        announced: &Envelope,
    ) -> Result<(), ChangePasswordError> {
        let user = changed_password(changed)
            .only_when("version = :seen AND password_hash = :old_hash")
            .value(":old_hash", &seen.password_hash);
        let session = Expression::update("SET epoch = :new")
            .only_when("epoch = :old")
            .value(":new", changed.session_epoch)
            .value(":old", seen.session_epoch);
        let transaction = self
            .table
            .transaction()
            .update("user", user_key(changed.id), user)
            .update("session", session_key(changed.id, session_id), session);
        let transaction = forgetting_failures(transaction, changed);
        let events = std::slice::from_ref(announced);
        match self.announcing(transaction, changed, events).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(refused)) if refused.names("event") => Ok(()),
            Err(CommitError::ConditionFailed(refused)) if refused.names("user") => {
                Err(ChangePasswordError::Conflict)
            }
            Err(CommitError::ConditionFailed(_)) => Err(ChangePasswordError::SessionEnded),
        }
    }

    /// A transaction that begins with using up a token.
    fn spending(&self, purpose: Purpose, token_hash: &str, now: Timestamp) -> Transaction {
        let usable = Expression::when("attribute_exists(pk) AND usable_until > :now")
            .value(":now", now.as_millisecond());
        self.table
            .transaction()
            .delete("token", proof_key(purpose, token_hash), usable)
    }
}

pub(super) fn proof_row<'a>(
    purpose: Purpose,
    token_hash: &str,
    proof: &'a Proof,
) -> Row<'a, Proof> {
    let until = Timestamp::from_millisecond(proof.usable_until).unwrap_or(Timestamp::MAX);
    Row::expiring(proof_key(purpose, token_hash), proof, until)
}

fn proof_key(purpose: Purpose, token_hash: &str) -> Key {
    match purpose {
        Purpose::Verification => Key::new(format!("VERIFICATION#{token_hash}"), "VERIFICATION"),
        Purpose::Reset => Key::new(format!("RESET#{token_hash}"), "RESET"),
    }
}

/// Whoever sets a password has shown who they are, and what was counted of
/// wrong ones is forgotten. Not where there is a second factor: its wrong codes
/// are counted there too, and this has not shown it.
fn forgetting_failures(transaction: Transaction, user: &User) -> Transaction {
    if user.mfa_enabled {
        return transaction;
    }
    let address = attempts_key(user.email.as_str());
    transaction.delete("attempts", address, Expression::default())
}

fn changed_password(changed: &User) -> Expression {
    Expression::update(
        "SET password_hash = :hash, email_verified = :verified, session_epoch = :epoch, \
         version = :version",
    )
    .only_when("version = :seen")
    .value(":hash", &changed.password_hash)
    .value(":verified", changed.email_verified)
    .value(":epoch", changed.session_epoch)
    .value(":version", changed.version)
    .value(":seen", changed.version.saturating_sub(1))
}

/// What writes only new items cannot be refused but by themselves.
fn settled(outcome: Result<(), CommitError>) -> Result<(), StoreError> {
    match outcome {
        Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

fn used(outcome: Result<(), CommitError>) -> Result<(), UseProofError> {
    let refused: ConditionFailed = match outcome {
        Ok(()) => return Ok(()),
        Err(CommitError::Store(error)) => return Err(error.into()),
        Err(CommitError::ConditionFailed(refused)) => refused,
    };
    // The events have ids of their own: when they are there, this very
    // transaction happened, and its reply was lost.
    if refused.names("event") {
        Ok(())
    } else if refused.names("token") {
        Err(UseProofError::Spent)
    } else if refused.names("email") {
        Err(UseProofError::EmailTaken)
    } else {
        Err(UseProofError::Conflict)
    }
}
