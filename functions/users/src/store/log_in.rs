//! Logging in: what is read, what is decided, what is written.

use std::net::IpAddr;

use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::{
    Store,
    attempts::not_locked,
    listing::counting_over,
    rows::{Found, attempts_key, email_key, factor_key, group, session_key, user_key},
    second_factors::used_up,
};
use crate::{
    domain::{Attempts, PasswordHash, SecondFactor, Session, Shown, User, superseded},
    passwords::Verdict,
};

/// Who may be about to log in.
pub struct Candidate {
    user: Option<User>,
    sessions: Vec<Session>,
    factor: Option<SecondFactor>,
    attempts: Attempts,
}

/// Somebody who may log in.
#[derive(Debug)]
pub struct Admitted {
    /// Who.
    pub user: User,
    /// Whether the password should be hashed again.
    pub outdated: bool,
    /// The sessions that make room for the new one.
    pub superseded: Vec<SessionId>,
    /// What has to be shown as well.
    pub factor: Option<SecondFactor>,
}

impl Candidate {
    /// What to compare the password with.
    pub fn password_hash(&self) -> Option<PasswordHash> {
        self.user.as_ref().map(|user| user.password_hash.clone())
    }

    /// The user whose password it is, with the second factor that has to be
    /// shown as well, if there is one; nobody when it is wrong, the account not
    /// active, or the address locked.
    pub fn admitted(self, verdict: Verdict, now: Timestamp) -> Option<Admitted> {
        let Verdict::Right { outdated } = verdict else {
            return None;
        };
        let user = self.user.filter(|user| user.may_sign_in(now))?;
        let superseded = superseded(&self.sessions, &user, now);
        (!self.attempts.is_locked(now)).then_some(Admitted {
            user,
            outdated,
            superseded,
            factor: self.factor.filter(SecondFactor::is_on),
        })
    }
}

/// Everything that logging in writes.
pub struct LogIn<'a> {
    /// The user, as read.
    pub user: &'a User,
    /// The user, back in an account that was closed.
    pub returned: Option<Returned<'a>>,
    /// The new session.
    pub session: &'a Session,
    /// The sessions that make room for it.
    pub superseded: &'a [SessionId],
    /// The second factor, as read, and what was shown of it.
    pub factor: Option<(&'a SecondFactor, &'a Shown)>,
    /// The password's new hash, when the old one is outdated.
    pub rehashed: Option<PasswordHash>,
    /// From where.
    pub ip: Option<IpAddr>,
}

/// A person who comes back to an account that was closed.
pub struct Returned<'a> {
    /// The account as it then is.
    pub user: &'a User,
    /// What is said of it.
    pub events: &'a [Envelope],
}

/// Why a log-in was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreLogInError {
    /// Meanwhile the address was locked.
    #[error("the address was locked meanwhile")]
    Locked,
    /// Meanwhile the account's status, password, second factor or sessions
    /// changed, or the person logged in elsewhere.
    #[error("the account changed meanwhile")]
    Changed,
    /// The store failed.
    #[error("log in")]
    Store(#[from] StoreError),
}

/// What must be as it was read, for somebody who has shown a second factor.
const SEEN: &str = "#status = :status AND password_hash = :seen_hash \
                    AND session_epoch = :epoch AND sign_ins = :sign_ins \
                    AND version = :seen_version";
/// The same for somebody who needed none.
const SEEN_WITHOUT_FACTOR: &str = "#status = :status AND password_hash = :seen_hash AND session_epoch = :epoch \
     AND sign_ins = :sign_ins AND version = :seen_version AND attribute_not_exists(mfa_enabled)";

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
                Found::User(_) | Found::Session(_) | Found::Factor(_) => {}
            }
        }
        let nobody = UserId::from(Uuid::nil());
        let (user, sessions, factor) = self.account_with_factor(owner.unwrap_or(nobody)).await?;
        Ok(Candidate {
            user,
            sessions,
            factor,
            attempts,
        })
    }

    /// Logs somebody in: the session, the user's last log-in, no failures, and
    /// no more sessions than a person may have.
    ///
    /// The conditions repeat what was decided on what was read. So of many
    /// guesses at once, a right one counts only if it is stored before
    /// [`crate::domain::FAILURES_MAX`] wrong ones are: sending them together
    /// gains nothing. And of two log-ins at once, the second is decided on what
    /// the first has left (`sign_ins` counts them). What was shown of a second
    /// factor is used up with it; one that was turned on meanwhile counts.
    ///
    /// # Errors
    /// [`StoreLogInError`].
    pub async fn log_in(&self, log_in: LogIn<'_>) -> Result<(), StoreLogInError> {
        let (user, session) = (log_in.user, log_in.session);
        let now = session.created_at;
        let hash = log_in.rehashed.as_ref().unwrap_or(&user.password_hash);
        let seen = match &log_in.returned {
            None => Expression::update(
                "SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash, \
                 sign_ins = :next",
            ),
            Some(Returned { user: active, .. }) => Expression::update(
                "SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash, \
                 sign_ins = :next, #status = :active, version = :version, listed = :listed \
                 REMOVE erase_at, closing",
            )
            .value(":active", active.status)
            .value(":version", active.version)
            .value(":listed", group(active.status, active.role)),
        };
        let seen = seen
            .only_when(match log_in.factor {
                None => SEEN_WITHOUT_FACTOR,
                Some(_) => SEEN,
            })
            .name("#status", "status")
            .value(":now", now)
            .value(":ip", log_in.ip)
            .value(":hash", hash)
            .value(":status", user.status)
            .value(":seen_hash", &user.password_hash)
            .value(":epoch", session.epoch)
            .value(":sign_ins", user.sign_ins)
            .value(":next", user.sign_ins + 1)
            .value(":seen_version", user.version);
        let mut transaction = self
            .table
            .transaction()
            .insert("session", &Self::session_row(session))
            .update("user", user_key(user.id), seen)
            .delete(
                "attempts",
                attempts_key(user.email.as_str()),
                not_locked(now),
            );
        if let Some((factor, shown)) = log_in.factor {
            transaction = transaction.update("factor", factor_key(user.id), used_up(factor, shown));
        }
        for ended in log_in.superseded {
            let key = session_key(user.id, *ended);
            transaction = transaction.delete("superseded", key, Expression::default());
        }
        if let Some(Returned {
            user: active,
            events,
        }) = log_in.returned
        {
            transaction = counting_over(transaction, user, active, false);
            transaction = self.announcing(transaction, active, events);
        }
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The session's id is new: when it is there, this very transaction
            // happened, and its reply was lost.
            Err(CommitError::ConditionFailed(refused)) if refused.names("session") => Ok(()),
            Err(CommitError::ConditionFailed(refused)) if refused.names("attempts") => {
                Err(StoreLogInError::Locked)
            }
            Err(CommitError::ConditionFailed(_)) => Err(StoreLogInError::Changed),
        }
    }
}
