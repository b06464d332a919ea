//! Logging in: what is read, what is decided, what is written.

use std::net::IpAddr;

use dynamo::{CommitError, Expression, StoreError};
use kernel::{Timestamp, UserId};
use uuid::Uuid;

use super::{
    Store,
    attempts::not_locked,
    rows::{Found, attempts_key, email_key, user_key},
};
use crate::{
    domain::{Attempts, PasswordHash, Session, User},
    passwords::Verdict,
};

/// Who may be about to log in.
pub struct Candidate {
    user: Option<User>,
    attempts: Attempts,
}

impl Candidate {
    /// What to compare the password with.
    pub fn password_hash(&self) -> Option<PasswordHash> {
        self.user.as_ref().map(|user| user.password_hash.clone())
    }

    /// The user whose password it is, and whether its hash is outdated; nobody
    /// when it is wrong, the account not active, or the address locked.
    pub fn admitted(self, verdict: Verdict, now: Timestamp) -> Option<(User, bool)> {
        let Verdict::Right { outdated } = verdict else {
            return None;
        };
        let user = self.user.filter(User::is_active)?;
        (!self.attempts.is_locked(now)).then_some((user, outdated))
    }
}

/// Everything that logging in writes.
pub struct LogIn<'a> {
    /// The user, as read.
    pub user: &'a User,
    /// The new session.
    pub session: &'a Session,
    /// The password's new hash, when the old one is outdated.
    pub rehashed: Option<PasswordHash>,
    /// From where.
    pub ip: Option<IpAddr>,
}

/// Why a log-in was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreLogInError {
    /// Meanwhile the address was locked, or the account's status, password or
    /// sessions changed.
    #[error("the account changed meanwhile")]
    Refused,
    /// The store failed.
    #[error("log in")]
    Store(#[from] StoreError),
}

impl Store {
    /// Who may log in with a (normalised) address. When there is nobody, as
    /// much is read as when there is somebody.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn candidate(&self, email: &str) -> Result<Candidate, StoreError> {
        let keys = vec![email_key(email), attempts_key(email)];
        let (mut owner, mut attempts) = (None, Attempts::default());
        for found in self.table.get_many(keys, true).await? {
            match found {
                Found::Email(found) => owner = Some(found.user_id),
                Found::Attempts(found) => attempts = found,
                Found::User(_) | Found::Session(_) => {}
            }
        }
        let user = self
            .user(owner.unwrap_or(UserId::from(Uuid::nil())))
            .await?;
        Ok(Candidate { user, attempts })
    }

    /// Logs somebody in: the session, the user's last log-in, and no failures.
    ///
    /// The conditions repeat what was decided on what was read. So of many
    /// guesses at once, a right one counts only if it is stored before
    /// [`crate::domain::FAILURES_MAX`] wrong ones are: sending them together
    /// gains nothing.
    ///
    /// # Errors
    /// [`StoreLogInError`].
    pub async fn log_in(&self, log_in: LogIn<'_>) -> Result<(), StoreLogInError> {
        let (user, session) = (log_in.user, log_in.session);
        let now = session.created_at;
        let hash = log_in.rehashed.as_ref().unwrap_or(&user.password_hash);
        let seen = Expression::update(
            "SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash",
        )
        .only_when("#status = :status AND password_hash = :seen_hash AND session_epoch = :epoch")
        .name("#status", "status")
        .value(":now", now)
        .value(":ip", log_in.ip)
        .value(":hash", hash)
        .value(":status", user.status)
        .value(":seen_hash", &user.password_hash)
        .value(":epoch", session.epoch);
        let outcome = self
            .table
            .transaction()
            .insert("session", &Self::session_row(session))
            .update("user", user_key(user.id), seen)
            .delete(
                "attempts",
                attempts_key(user.email.as_str()),
                not_locked(now),
            )
            .commit()
            .await;
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The session's id is new: when it is there, this very transaction
            // happened, and its reply was lost.
            Err(CommitError::Refused(refused)) if refused.names("session") => Ok(()),
            Err(CommitError::Refused(_)) => Err(StoreLogInError::Refused),
        }
    }
}
