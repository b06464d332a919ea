//! Making, reading and changing accounts.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep, StoreError, Transaction};
use kernel::UserId;

use super::{
    Purpose, Store,
    listing::{counting_in, counting_over},
    proofs::proof_row,
    rows::{
        CLOSING, EmailOwner, Row, UserItem, email_key, event_sort_key, group, user_key,
        user_partition,
    },
};
use crate::domain::{Proof, Session, User};

/// Everything that registering writes.
pub struct NewUser<'a> {
    /// The account.
    pub user: &'a User,
    /// The session in which the person is at once.
    pub session: &'a Session,
    /// SHA-256 of the token that verifies the address.
    pub verification_hash: &'a str,
    /// What that token proves.
    pub verification: &'a Proof,
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
    /// Nobody would be left to run the shop.
    #[error("this is the last active admin")]
    LastAdmin,
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
        let user = new.user;
        let owner = EmailOwner { user_id: user.id };
        let transaction = self
            .table
            .transaction()
            .insert("email", &Row::new(email_key(user.email.as_str()), &owner))
            .insert("user", &Row::new(user_key(user.id), &UserItem::new(user)))
            .insert("session", &Self::session_row(new.session))
            .insert(
                "verification",
                &proof_row(
                    Purpose::Verification,
                    new.verification_hash,
                    new.verification,
                ),
            )
            .announce(
                &user_partition(user.id),
                &event_sort_key(new.registered),
                new.registered,
                Keep::Forever,
            );
        let outcome = counting_in(transaction, user).commit().await;
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(refused)) => match refused.item::<EmailOwner>("email")? {
                // The reply to this very transaction was lost.
                Some(owner) if owner.user_id == user.id => Ok(()),
                _ => Err(RegisterUserError::EmailTaken),
            },
        }
    }

    /// A user by id; nobody, when the user is being erased.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let user = self.user_or_rest(id).await?;
        Ok(user.filter(|user| !user.erasing))
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
        self.change_standing(changed, changed, std::slice::from_ref(updated), false)
            .await
    }

    /// The same for a change of role or status: it is counted, and with
    /// `keep_one` the last active admin stays.
    ///
    /// # Errors
    /// [`UpdateUserError`].
    pub async fn change_standing(
        &self,
        seen: &User,
        changed: &User,
        events: &[Envelope],
        keep_one: bool,
    ) -> Result<(), UpdateUserError> {
        let transaction = self.table.transaction().update(
            "user",
            user_key(changed.id),
            Self::changed_user(changed),
        );
        let transaction = counting_over(transaction, seen, changed, keep_one);
        let outcome = self.announcing(transaction, changed, events).commit().await;
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event has an id of its own: when it is there, this very
            // transaction happened, and its reply was lost.
            Err(CommitError::ConditionFailed(refused)) if refused.names("event") => Ok(()),
            Err(CommitError::ConditionFailed(refused)) if refused.names("user") => {
                Err(UpdateUserError::Conflict)
            }
            Err(CommitError::ConditionFailed(_)) => Err(UpdateUserError::LastAdmin),
        }
    }

    /// The account with a (normalised) address. When there is none, as much is
    /// read as when there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let owner: Option<EmailOwner> = self.table.get(email_key(email)).await?;
        let id = owner.map_or_else(UserId::generate, |owner| owner.user_id);
        self.user(id).await
    }

    /// Everything of an account that a change may change, but its password,
    /// unless somebody else changed it since it was read.
    pub(super) fn changed_user(changed: &User) -> Expression {
        let expression = match changed.erase_at {
            None => Expression::update(
                "SET email = :email, email_verified = :verified, #name = :name, phone = :phone, \
                 profile = :profile, #role = :role, #status = :status, session_epoch = :epoch, \
                 version = :version, listed = :listed, shut = :shut REMOVE erase_at, closing",
            ),
            Some(at) => Expression::update(
                "SET email = :email, email_verified = :verified, #name = :name, phone = :phone, \
                 profile = :profile, #role = :role, #status = :status, session_epoch = :epoch, \
                 version = :version, listed = :listed, shut = :shut, erase_at = :erase_at, \
                 closing = :closing",
            )
            .value(":erase_at", at.as_millisecond())
            .value(":closing", CLOSING),
        };
        expression
            .only_when("version = :seen")
            .name("#name", "name")
            .name("#role", "role")
            .name("#status", "status")
            .value(":email", &changed.email)
            .value(":verified", changed.email_verified)
            .value(":name", &changed.name)
            .value(":phone", &changed.phone)
            .value(":profile", &changed.profile)
            .value(":listed", group(changed.status, changed.role))
            .value(":shut", changed.shut)
            .value(":role", changed.role)
            .value(":status", changed.status)
            .value(":epoch", changed.session_epoch)
            .value(":version", changed.version)
            .value(":seen", changed.version.saturating_sub(1))
    }

    /// Announces what happened to a user, in the transaction in which it does.
    pub(super) fn announcing(
        &self,
        transaction: Transaction,
        user: &User,
        events: &[Envelope],
    ) -> Transaction {
        events.iter().fold(transaction, |transaction, event| {
            transaction.announce(
                &user_partition(user.id),
                &event_sort_key(event),
                event,
                Keep::Forever,
            )
        })
    }
}
