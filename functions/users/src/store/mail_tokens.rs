//! The tokens in e-mails, each stored under its hash until it is used, and the changes
//! that they allow.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep, Key, StoreError, Transaction};
use kernel::{SessionId, Timestamp};

use super::{
    Store,
    outbox::announce,
    rows::{
        EmailOwner, Row, address_failures_key, email_key, event_key, factor_key, session_key,
        source_failures_key, user_key,
    },
};
use crate::domain::{Guess, MailTokenRecord, Proven, Source, TokenPurpose, User};

#[derive(Debug, thiserror::Error)]
pub enum UseTokenError {
    /// It was used before or has expired.
    #[error("the token is invalid or has expired")]
    Invalid,
    #[error("the e-mail address is taken")]
    EmailTaken,
    #[error("the account was changed concurrently")]
    Conflict,
    #[error("use the token of an e-mail")]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    #[error("the account was changed concurrently")]
    Conflict,
    #[error("the session has ended")]
    SessionEnded,
    #[error("change the password")]
    Store(#[from] StoreError),
}

impl Store {
    /// What is stored under the hash of an unused token.
    pub async fn mail_token(
        &self,
        purpose: TokenPurpose,
        token_hash: &str,
    ) -> Result<Option<MailTokenRecord>, StoreError> {
        self.table.get(mail_token_key(purpose, token_hash)).await
    }

    /// Stores a new token, with the event that requests its e-mail.
    pub async fn store_mail_token(
        &self,
        purpose: TokenPurpose,
        token_hash: &str,
        record: &MailTokenRecord,
        requested: &Envelope,
    ) -> Result<(), StoreError> {
        let row = mail_token_row(purpose, token_hash, record);
        let key = event_key(record.user_id, requested.id);
        let outcome = self
            .table
            .transaction()
            .insert("token", &row)
            // Not part of the history, and it has an address and a token in it.
            .announce(&key.pk, &key.sk, requested, Keep::ThirtyDays)
            .commit()
            .await;
        inserted(outcome)
    }

    /// Uses a token to verify an address: stores the user, moves the ownership of
    /// the address if it is a new one, and announces the events. Every session ends
    /// but the one in which it was done: that one is moved to the new epoch.
    pub async fn verify_email(
        &self,
        (token_hash, record): (&str, &MailTokenRecord),
        proven: &Proven,
        session_id: Option<SessionId>,
        events: &[Envelope],
        now: Timestamp,
    ) -> Result<(), UseTokenError> {
        let verified = &proven.user;
        let mut transaction = self
            .using_token(TokenPurpose::Verification, token_hash, now)
            .update("user", user_key(verified.id), proven_user(proven));
        transaction = drop_factor(transaction, proven);
        if let Some(id) = session_id {
            let previous = verified.session_epoch.saturating_sub(1);
            let session = Expression::update("SET epoch = :new")
                .only_when("epoch = :old")
                .value(":new", verified.session_epoch)
                .value(":old", previous);
            transaction = transaction.update("session", session_key(verified.id, id), session);
        }
        if let Some(previous) = &record.replaces {
            let owner = EmailOwner {
                user_id: verified.id,
            };
            let (new, previous) = (record.email.as_str(), previous.as_str());
            transaction = transaction
                .insert("email", &Row::new(email_key(new), &owner))
                .delete("old email", email_key(previous), Expression::default());
        }
        used(announce(transaction, verified, events).commit().await)
    }

    /// Uses up a token without any other effect.
    pub async fn use_mail_token(
        &self,
        purpose: TokenPurpose,
        token_hash: &str,
        now: Timestamp,
    ) -> Result<(), UseTokenError> {
        used(self.using_token(purpose, token_hash, now).commit().await)
    }

    /// Uses a token to set a new password, which ends every session. It clears the failures
    /// of the network that the request came from, and without a second factor those of
    /// all unknown devices. With one they stay, because whoever reads the mailbox must not
    /// get that many more guesses at codes with each e-mail; the device of the reset
    /// counts for itself.
    pub async fn reset_password(
        &self,
        token_hash: &str,
        proven: &Proven,
        network: &str,
        events: &[Envelope],
        now: Timestamp,
    ) -> Result<(), UseTokenError> {
        let changed = &proven.user;
        let network_key = source_failures_key(Guess {
            email: changed.email.as_str(),
            source: &Source::Network(network.to_owned()),
        });
        let transaction = self
            .using_token(TokenPurpose::Reset, token_hash, now)
            .update("user", user_key(changed.id), proven_user(proven));
        let transaction = drop_factor(transaction, proven);
        let transaction =
            transaction.delete("network failures", network_key, Expression::default());
        let transaction = clear_failures(transaction, changed);
        let transaction = announce(transaction, changed, events);
        used(transaction.commit().await)
    }

    /// Sets a new password, which ends every session but the one of the request:
    /// that one is moved to the new epoch.
    pub async fn change_password(
        &self,
        session_id: SessionId,
        seen: &User,
        changed: &User,
        password_changed: &Envelope,
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
        let transaction = clear_failures(transaction, changed);
        let transaction = announce(transaction, changed, std::slice::from_ref(password_changed));
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event exists already: the reply to this transaction was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("event") => Ok(()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("user") => {
                Err(ChangePasswordError::Conflict)
            }
            Err(CommitError::ConditionFailed(_)) => Err(ChangePasswordError::SessionEnded),
        }
    }

    /// Begins a transaction with using up a token.
    fn using_token(&self, purpose: TokenPurpose, token_hash: &str, now: Timestamp) -> Transaction {
        let usable = Expression::when("attribute_exists(pk) AND usable_until > :now")
            .value(":now", now.as_millisecond());
        self.table
            .transaction()
            .delete("token", mail_token_key(purpose, token_hash), usable)
    }
}

pub(super) fn mail_token_row<'a>(
    purpose: TokenPurpose,
    token_hash: &str,
    record: &'a MailTokenRecord,
) -> Row<'a, MailTokenRecord> {
    let until = Timestamp::from_millisecond(record.usable_until).unwrap_or(Timestamp::MAX);
    Row::expiring(mail_token_key(purpose, token_hash), record, until)
}

fn mail_token_key(purpose: TokenPurpose, token_hash: &str) -> Key {
    match purpose {
        TokenPurpose::Verification => {
            Key::new(format!("VERIFICATION#{token_hash}"), "VERIFICATION")
        }
        TokenPurpose::Reset => Key::new(format!("RESET#{token_hash}"), "RESET"),
    }
}

/// Clears the failures of unknown devices for a user who sets a password, unless there is
/// a second factor: its wrong codes are recorded there too, and neither the password nor
/// the mailbox must give more guesses at them.
fn clear_failures(transaction: Transaction, user: &User) -> Transaction {
    if user.mfa_enabled {
        return transaction;
    }
    let key = address_failures_key(user.email.as_str());
    transaction.delete("failures", key, Expression::default())
}

/// The user after proof of the mailbox, unless the account was changed since it was
/// read.
fn proven_user(proven: &Proven) -> Expression {
    let user = &proven.user;
    let expression = if proven.drops_factor {
        Expression::update(
            "SET email = :email, email_verified = :verified, password_hash = :hash, \
             credentials_unproven = :unproven, session_epoch = :epoch, version = :version \
             REMOVE mfa_enabled",
        )
    } else {
        Expression::update(
            "SET email = :email, email_verified = :verified, password_hash = :hash, \
             credentials_unproven = :unproven, session_epoch = :epoch, version = :version",
        )
    };
    expression
        .only_when("version = :seen")
        .value(":email", &user.email)
        .value(":verified", user.email_verified)
        .value(":hash", &user.password_hash)
        .value(":unproven", user.credentials_unproven)
        .value(":epoch", user.session_epoch)
        .value(":version", user.version)
        .value(":seen", user.version.saturating_sub(1))
}

/// Deletes a factor, also one that was enrolled since the account was read.
fn drop_factor(transaction: Transaction, proven: &Proven) -> Transaction {
    if !proven.drops_factor {
        return transaction;
    }
    let key = factor_key(proven.user.id);
    transaction.delete("factor", key, Expression::default())
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

/// The outcome of a transaction that only inserts items with random keys: a condition
/// fails only if the reply to the transaction was lost.
pub(super) fn inserted(outcome: Result<(), CommitError>) -> Result<(), StoreError> {
    match outcome {
        Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

fn used(outcome: Result<(), CommitError>) -> Result<(), UseTokenError> {
    let failed = match outcome {
        Ok(()) => return Ok(()),
        Err(CommitError::Store(error)) => return Err(error.into()),
        Err(CommitError::ConditionFailed(failed)) => failed,
    };
    // The event exists already: the reply to this transaction was lost.
    if failed.includes("event") {
        Ok(())
    } else if failed.includes("token") {
        Err(UseTokenError::Invalid)
    } else if failed.includes("email") {
        Err(UseTokenError::EmailTaken)
    } else {
        Err(UseTokenError::Conflict)
    }
}
