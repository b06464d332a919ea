//! Making, reading and changing accounts.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep, StoreError};
use kernel::{SignedDuration, UserId};

use super::{
    Store,
    rows::{
        EmailOwner, Row, Verification, email_key, later, user_key, user_partition, verification_key,
    },
};
use crate::domain::{Session, User};

/// How long an address can be verified with what was mailed.
pub const VERIFICATION_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Everything that registering writes.
pub struct NewUser<'a> {
    /// The account.
    pub user: &'a User,
    /// The session in which the person is at once.
    pub session: &'a Session,
    /// SHA-256 of the token that verifies the address.
    pub verification_hash: &'a str,
    /// [`contracts::events::UserRegistered`].
    pub registered: &'a Envelope,
}

/// Why an account could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterUserError {
    /// Somebody has an account with the address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The store failed.
    #[error("register user")]
    Store(#[from] StoreError),
}

/// Why an account could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateUserError {
    /// Somebody else changed it first.
    #[error("the user was changed meanwhile")]
    Conflict,
    /// The store failed.
    #[error("update user")]
    Store(#[from] StoreError),
}

impl Store {
    /// Makes an account, or nothing: the account, its address, its first
    /// session, what verifies the address, and the event.
    ///
    /// # Errors
    /// [`RegisterUserError`].
    pub async fn register(&self, new: &NewUser<'_>) -> Result<(), RegisterUserError> {
        let (user, now) = (new.user, new.user.created_at);
        let usable_until = later(now, VERIFICATION_LIFETIME);
        let verification = Verification {
            user_id: user.id,
            email: &user.email,
            usable_until: usable_until.as_millisecond(),
        };
        let owner = EmailOwner { user_id: user.id };
        let verification_key = verification_key(new.verification_hash);
        let outcome = self
            .table
            .transaction()
            .insert("email", &Row::new(email_key(user.email.as_str()), &owner))
            .insert("user", &Row::new(user_key(user.id), user))
            .insert("session", &Self::session_row(new.session))
            .insert(
                "verification",
                &Row::expiring(verification_key, &verification, usable_until),
            )
            .announce(
                &user_partition(user.id),
                &event_sort_key(new.registered),
                new.registered,
                Keep::Forever,
            )
            .commit()
            .await;
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::Refused(refused)) => match refused.item::<EmailOwner>("email")? {
                // The reply to this very transaction was lost.
                Some(owner) if owner.user_id == user.id => Ok(()),
                _ => Err(RegisterUserError::EmailTaken),
            },
        }
    }

    /// A user by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.table.get(user_key(id)).await
    }

    /// Stores what [`User::changed`] made of a user, with its event, unless
    /// somebody else changed the user since it was read.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub async fn update_user(
        &self,
        changed: &User,
        updated: &Envelope,
    ) -> Result<(), UpdateUserError> {
        let expression = Expression::update(
            "SET #role = :role, #status = :status, session_epoch = :epoch, version = :version",
        )
        .only_when("version = :seen")
        .name("#role", "role")
        .name("#status", "status")
        .value(":role", changed.role)
        .value(":status", changed.status)
        .value(":epoch", changed.session_epoch)
        .value(":version", changed.version)
        .value(":seen", changed.version.saturating_sub(1));
        let outcome = self
            .table
            .transaction()
            .update("user", user_key(changed.id), expression)
            .announce(
                &user_partition(changed.id),
                &event_sort_key(updated),
                updated,
                Keep::Forever,
            )
            .commit()
            .await;
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event has an id of its own: when it is there, this very
            // transaction happened, and its reply was lost.
            Err(CommitError::Refused(refused)) if refused.names("event") => Ok(()),
            Err(CommitError::Refused(_)) => Err(UpdateUserError::Conflict),
        }
    }
}

/// Event ids sort by time, and so do a user's events.
fn event_sort_key(event: &Envelope) -> String {
    format!("EVENT#{}", event.id)
}
