//! Creating, reading and changing accounts.

use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use kernel::UserId;

use super::{
    Store,
    listing::{count_change, count_new_user},
    mail_tokens::mail_token_row,
    outbox::announce,
    rows::{CLOSING, EmailOwner, Row, UserItem, email_key, group, user_key},
};
use crate::domain::{MailTokenRecord, Session, TokenPurpose, User};

/// What a registration writes.
pub struct NewUser<'a> {
    pub user: &'a User,
    /// The hash of the token that verifies the address.
    pub verification_hash: &'a str,
    pub verification: &'a MailTokenRecord,
    /// [`contracts::events::UserRegistered`].
    pub registered: &'a Envelope,
}

#[derive(Debug, thiserror::Error)]
pub enum RegisterUserError {
    #[error("the e-mail address is taken")]
    EmailTaken,
    #[error("register user")]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum UpdateUserError {
    #[error("the user was changed concurrently")]
    Conflict,
    #[error("this is the last active admin")]
    LastAdmin,
    #[error("update user")]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes the account, its address, its first session if one begins, the token that
    /// verifies the address, and the event, all in one transaction.
    pub async fn register(
        &self,
        new: &NewUser<'_>,
        session: Option<&Session>,
    ) -> Result<(), RegisterUserError> {
        let user = new.user;
        let owner = EmailOwner { user_id: user.id };
        let mut transaction = self
            .table
            .transaction()
            .insert("email", &Row::new(email_key(user.email.as_str()), &owner))
            .insert("user", &Row::new(user_key(user.id), &UserItem::new(user)))
            .insert(
                "verification",
                &mail_token_row(
                    TokenPurpose::Verification,
                    new.verification_hash,
                    new.verification,
                ),
            );
        if let Some(session) = session {
            transaction = transaction.insert("session", &Self::session_row(session));
        }
        let transaction = count_new_user(transaction, user);
        let transaction = announce(transaction, user, std::slice::from_ref(new.registered));
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(failed)) => {
                match failed.item::<EmailOwner>("email")? {
                    // The reply to this transaction was lost.
                    Some(owner) if owner.user_id == user.id => Ok(()),
                    _ => Err(RegisterUserError::EmailTaken),
                }
            }
        }
    }

    /// A user; `None` while the user is being erased.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let user = self.user_or_tombstone(id).await?;
        Ok(user.filter(|user| !user.erasing))
    }

    /// Stores a user that was changed, with the event, unless the user was changed
    /// since it was read.
    pub async fn update_user(
        &self,
        changed: &User,
        updated: &Envelope,
    ) -> Result<(), UpdateUserError> {
        self.change_role_or_status(changed, changed, std::slice::from_ref(updated), false)
            .await
    }

    /// The same for a change of role or status, which updates the counts; with
    /// `keep_last_admin` it fails for the last active admin.
    pub async fn change_role_or_status(
        &self,
        seen: &User,
        changed: &User,
        events: &[Envelope],
        keep_last_admin: bool,
    ) -> Result<(), UpdateUserError> {
        let transaction = self.table.transaction().update(
            "user",
            user_key(changed.id),
            Self::changed_user(changed),
        );
        let transaction = count_change(transaction, seen, changed, keep_last_admin);
        match announce(transaction, changed, events).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event exists already: the reply to this transaction was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("event") => Ok(()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("user") => {
                Err(UpdateUserError::Conflict)
            }
            Err(CommitError::ConditionFailed(_)) => Err(UpdateUserError::LastAdmin),
        }
    }

    /// The account with a normalised address. The reads are the same when there is
    /// none, so that the time does not reveal it.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let owner: Option<EmailOwner> = self.table.get(email_key(email)).await?;
        let id = owner.map_or_else(|| self.table.random().uuid().into(), |owner| owner.user_id);
        self.user(id).await
    }

    /// Updates all attributes that can change except the password, unless the user
    /// was changed since it was read.
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
            .value(":shut", changed.disabled_by_admin)
            .value(":role", changed.role)
            .value(":status", changed.status)
            .value(":epoch", changed.session_epoch)
            .value(":version", changed.version)
            .value(":seen", changed.version.saturating_sub(1))
    }
}
