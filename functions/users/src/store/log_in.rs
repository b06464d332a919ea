//! Logging in: what is read, what is decided, what is written.

use std::net::IpAddr;

use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::{
    Store,
    listing::count_change,
    login_failures::{Recorded, not_locked},
    outbox::announce,
    rows::{
        AnyItem, address_failures_key, email_key, factor_key, group, session_key,
        source_failures_key, user_key,
    },
    second_factors::use_factor,
};
use crate::{
    credentials::passwords::PasswordCheck,
    domain::{
        ADDRESS_LIMIT, Guess, LoginFailures, PasswordHash, Registration, SOURCE_LIMIT,
        SecondFactor, Session, Source, User, VerifiedFactor, sessions_to_evict,
    },
};

/// Where an attempt to log in says that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The device that it names, which may not be known to the account.
    pub device: Option<Uuid>,
    pub network: &'a str,
}

/// The account, if there is one, that somebody tries to log in to.
pub struct Candidate {
    user: Option<User>,
    sessions: Vec<Session>,
    factor: Option<SecondFactor>,
    /// Of the named device, which counts only if the account knows it.
    device: LoginFailures,
    network: LoginFailures,
    address: LoginFailures,
}

/// A user whose password was right.
#[derive(Debug)]
pub struct Authenticated {
    pub user: User,
    /// Whether the password should be hashed again.
    pub needs_rehash: bool,
    /// The sessions to remove for the new one.
    pub evicted: Vec<SessionId>,
    /// The second factor that has to be verified as well.
    pub factor: Option<SecondFactor>,
}

impl Candidate {
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// The hash to compare the password with.
    pub fn password_hash(&self) -> Option<PasswordHash> {
        self.user.as_ref().map(|user| user.password_hash.clone())
    }

    /// The user, unless the password was wrong, the account may not be used or the
    /// source of the attempt is locked.
    ///
    /// With private registration an unverified account may not be used: whoever has just
    /// registered an address would find out by logging in whether it was taken.
    pub fn authenticate(
        self,
        check: PasswordCheck,
        source: &Source,
        registration: Registration,
        now: Timestamp,
    ) -> Option<Authenticated> {
        let PasswordCheck::Match { needs_rehash } = check else {
            return None;
        };
        let recorded = match source {
            Source::Device(_) => Recorded::new(self.device, LoginFailures::default()),
            Source::Network(_) | Source::Session(_) => Recorded::new(self.network, self.address),
        };
        let may_sign_in = |user: &User| {
            user.may_sign_in(now) && (user.email_verified || registration == Registration::Open)
        };
        let user = self.user.filter(may_sign_in)?;
        let evicted = sessions_to_evict(&self.sessions, &user, now);
        (!recorded.is_locked(now)).then_some(Authenticated {
            user,
            needs_rehash,
            evicted,
            factor: self.factor.filter(SecondFactor::is_confirmed),
        })
    }
}

/// What a login writes.
pub struct LogIn<'a> {
    /// The user as read.
    pub user: &'a User,
    /// For an account that its owner closed.
    pub reactivation: Option<Reactivation<'a>>,
    pub session: &'a Session,
    /// The sessions to remove for the new one.
    pub evicted: &'a [SessionId],
    /// The second factor as read, and the code that was verified.
    pub factor: Option<(&'a SecondFactor, &'a VerifiedFactor)>,
    /// The new hash of the password, when the old one is outdated.
    pub rehashed: Option<PasswordHash>,
    pub ip: Option<IpAddr>,
    /// Where it came from.
    pub source: &'a Source,
}

/// The reopening of an account that its owner closed.
pub struct Reactivation<'a> {
    /// The user after it.
    pub user: &'a User,
    pub events: &'a [Envelope],
}

#[derive(Debug, thiserror::Error)]
pub enum StoreLogInError {
    /// Since the read, too many failures were recorded.
    #[error("the source was locked concurrently")]
    Locked,
    /// Since the read, the status, password, second factor or sessions changed, or
    /// there was another login.
    #[error("the account changed concurrently")]
    Changed,
    #[error("log in")]
    Store(#[from] StoreError),
}

/// What must not have changed since the read, if a second factor was verified.
const UNCHANGED: &str = "#status = :status AND password_hash = :seen_hash \
                         AND session_epoch = :epoch AND sign_ins = :sign_ins \
                         AND version = :seen_version";
/// The same if none was required.
const UNCHANGED_WITHOUT_FACTOR: &str = "#status = :status AND password_hash = :seen_hash AND session_epoch = :epoch \
     AND sign_ins = :sign_ins AND version = :seen_version AND attribute_not_exists(mfa_enabled)";

impl Store {
    /// The candidate with a normalised address. The reads are the same when there
    /// is no account, so that the time does not reveal it.
    pub async fn candidate(
        &self,
        email: &str,
        origin: Origin<'_>,
    ) -> Result<Candidate, StoreError> {
        let key_of = |source: &Source| source_failures_key(Guess { email, source });
        let network_key = key_of(&Source::Network(origin.network.to_owned()));
        let address_key = address_failures_key(email);
        let mut keys = vec![email_key(email), network_key.clone(), address_key.clone()];
        keys.extend(origin.device.map(|id| key_of(&Source::Device(id))));
        let mut owner = None;
        let [mut device, mut network, mut address] = [(); 3].map(|()| LoginFailures::default());
        for item in self.table.get_many(keys, true).await? {
            match item {
                AnyItem::Email(found) => owner = Some(found.user_id),
                AnyItem::LoginFailures(found) if found.pk == network_key.pk => {
                    network = found.failures;
                }
                AnyItem::LoginFailures(found) if found.pk == address_key.pk => {
                    address = found.failures;
                }
                AnyItem::LoginFailures(found) => device = found.failures,
                AnyItem::User(_) | AnyItem::Session(_) | AnyItem::Factor(_) => {}
            }
        }
        let nobody = UserId::from(Uuid::nil());
        let (user, sessions, factor) = self.account_with_factor(owner.unwrap_or(nobody)).await?;
        Ok(Candidate {
            user,
            sessions,
            factor,
            device,
            network,
            address,
        })
    }

    /// Stores a login: the new session, the time of the login, and the used code of
    /// the second factor; it clears the failures that could have refused it and removes
    /// evicted sessions. What unknown devices did stays when a known one logs in.
    ///
    /// The conditions repeat the decision: of many parallel guesses, the right one
    /// succeeds only if it is stored before [`crate::domain::FAILURES_MAX`] wrong
    /// ones from its source (or [`crate::domain::ADDRESS_FAILURES_MAX`] from all
    /// unknown devices), so guessing in parallel gains nothing. Of two concurrent logins, the
    /// second is decided again (`sign_ins` counts them). A second factor that was
    /// enabled since the read is required.
    pub async fn log_in(&self, log_in: LogIn<'_>) -> Result<(), StoreLogInError> {
        let (user, session) = (log_in.user, log_in.session);
        let now = session.created_at;
        let (email, source) = (user.email.as_str(), log_in.source);
        let source_key = source_failures_key(Guess { email, source });
        let mut transaction = self
            .table
            .transaction()
            .insert("session", &Self::session_row(session))
            .update("user", user_key(user.id), logged_in(&log_in))
            .delete("failures", source_key, not_locked(&SOURCE_LIMIT, now));
        if matches!(source, Source::Network(_)) {
            let address_key = address_failures_key(email);
            let not_locked = not_locked(&ADDRESS_LIMIT, now);
            transaction = transaction.delete("address failures", address_key, not_locked);
        }
        if let Some((factor, verified)) = log_in.factor {
            let used = use_factor(factor, verified);
            transaction = transaction.update("factor", factor_key(user.id), used);
        }
        for evicted in log_in.evicted {
            let key = session_key(user.id, *evicted);
            transaction = transaction.delete("evicted", key, Expression::default());
        }
        if let Some(reactivation) = &log_in.reactivation {
            transaction = count_change(transaction, user, reactivation.user, false);
            transaction = announce(transaction, reactivation.user, reactivation.events);
        }
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The new session exists already: the reply to this transaction was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("session") => Ok(()),
            Err(CommitError::ConditionFailed(failed))
                if failed.includes("failures") || failed.includes("address failures") =>
            {
                Err(StoreLogInError::Locked)
            }
            Err(CommitError::ConditionFailed(_)) => Err(StoreLogInError::Changed),
        }
    }
}

/// The update of the user.
fn logged_in(log_in: &LogIn<'_>) -> Expression {
    let (user, session) = (log_in.user, log_in.session);
    let expression = match &log_in.reactivation {
        None => Expression::update(
            "SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash, \
             sign_ins = :next",
        ),
        Some(Reactivation { user: active, .. }) => Expression::update(
            "SET last_login_at = :now, last_login_ip = :ip, password_hash = :hash, \
             sign_ins = :next, #status = :active, version = :version, listed = :listed \
             REMOVE erase_at, closing",
        )
        .value(":active", active.status)
        .value(":version", active.version)
        .value(":listed", group(active.status, active.role)),
    };
    expression
        .only_when(match log_in.factor {
            None => UNCHANGED_WITHOUT_FACTOR,
            Some(_) => UNCHANGED,
        })
        .name("#status", "status")
        .value(":now", session.created_at)
        .value(":ip", log_in.ip)
        .value(
            ":hash",
            log_in.rehashed.as_ref().unwrap_or(&user.password_hash),
        )
        .value(":status", user.status)
        .value(":seen_hash", &user.password_hash)
        .value(":epoch", session.epoch)
        .value(":sign_ins", user.sign_ins)
        .value(":next", user.sign_ins + 1)
        .value(":seen_version", user.version)
}
