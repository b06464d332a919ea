//! What the tokens in e-mails stand for.

use kernel::{SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{Email, PasswordHash, Status, User};

pub const VERIFICATION_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Short, because whoever else reads the mailbox in that time gets the account.
pub const RESET_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// What a token is for; it is invalid for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPurpose {
    Verification,
    Reset,
}

/// What is stored under the hash of a token. Whoever has the token has received
/// the e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailTokenRecord {
    pub user_id: UserId,
    /// Where the e-mail was sent.
    pub email: Email,
    /// The address that `email` is to replace, if it is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Email>,
    /// The session epoch of the account when the token was issued.
    pub epoch: u32,
    /// In milliseconds since the Unix epoch; DynamoDB deletes items late.
    pub usable_until: i64,
}

impl MailTokenRecord {
    /// Verifies the account's current address.
    pub fn verify_current_email(user: &User, now: Timestamp) -> Self {
        Self::new(user, user.email.clone(), now, VERIFICATION_LIFETIME)
    }

    /// Verifies a new address, which then replaces the current one.
    pub fn verify_new_email(user: &User, email: Email, now: Timestamp) -> Self {
        Self {
            replaces: Some(user.email.clone()),
            ..Self::new(user, email, now, VERIFICATION_LIFETIME)
        }
    }

    /// Lets its holder set a new password.
    pub fn reset_password(user: &User, now: Timestamp) -> Self {
        Self::new(user, user.email.clone(), now, RESET_LIFETIME)
    }

    fn new(user: &User, email: Email, now: Timestamp, lifetime: SignedDuration) -> Self {
        let until = now.saturating_add(lifetime).unwrap_or(now);
        Self {
            user_id: user.id,
            email,
            replaces: None,
            epoch: user.session_epoch,
            usable_until: until.as_millisecond(),
        }
    }

    pub fn is_usable(&self, now: Timestamp) -> bool {
        now.as_millisecond() < self.usable_until
    }
}

/// What proof of the mailbox makes of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// The account after it, in a new session epoch.
    pub user: User,
    /// Whether a second factor is deleted, confirmed or pending, because somebody
    /// enrolled it who had not proven the mailbox.
    pub drops_factor: bool,
    /// Whether logging in required that factor.
    pub disables_mfa: bool,
}

/// What verifying an address changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Verification {
    AlreadyVerified,
    /// The current address is now verified.
    Verified(Box<Proven>),
    /// The account has another address, which is verified.
    EmailChanged {
        proven: Box<Proven>,
        previous: Email,
    },
}

impl User {
    /// Applies the token of an e-mail; `None` when the account has changed too
    /// much since. A new address replaces the current one only while no sessions
    /// were ended: whoever asked for the new address may be the reason why they
    /// were.
    ///
    /// Every session ends, except the one that the link was followed in.
    /// `has_credentials` tells whether there was one, or the password was sent. Without
    /// either, somebody else may have the credentials. A factor enrolled by somebody who had not proven the
    /// mailbox is dropped. That of an account which changes its address stays, as
    /// the change took a code of it; the next reset drops it.
    pub fn verify_email(
        &self,
        record: &MailTokenRecord,
        has_credentials: bool,
    ) -> Option<Verification> {
        let open = matches!(self.status, Status::Active | Status::Pending);
        if record.user_id != self.id || !open {
            return None;
        }
        let verified = Self {
            email: record.email.clone(),
            email_verified: true,
            credentials_unproven: !has_credentials,
            session_epoch: self.session_epoch + 1,
            version: self.version + 1,
            ..self.clone()
        };
        let proves_nothing_new = self.email_verified && (self.owner_proven() || !has_credentials);
        match &record.replaces {
            None if self.email != record.email => None,
            None if proves_nothing_new => Some(Verification::AlreadyVerified),
            None => {
                let proven = self.proven(verified, !has_credentials);
                Some(Verification::Verified(Box::new(proven)))
            }
            Some(previous) if *previous == self.email && record.epoch == self.session_epoch => {
                Some(Verification::EmailChanged {
                    proven: Box::new(self.proven(verified, false)),
                    previous: previous.clone(),
                })
            }
            Some(_) => None,
        }
    }

    /// The account with a password that the holder of a reset token chose. Every
    /// session ends, and so does a second factor, unless whoever enrolled it had
    /// proven the mailbox.
    pub fn reset_password(&self, password_hash: PasswordHash) -> Proven {
        let reset = Self {
            email_verified: true,
            credentials_unproven: false,
            ..self.with_password(password_hash)
        };
        self.proven(reset, !self.owner_proven())
    }

    fn proven(&self, user: Self, drops_factor: bool) -> Proven {
        Proven {
            user: Self {
                mfa_enabled: self.mfa_enabled && !drops_factor,
                ..user
            },
            drops_factor,
            disables_mfa: self.mfa_enabled && drops_factor,
        }
    }

    /// Whether a token lets its holder set a new password: the account has to be
    /// as it was when the token was issued, so one reset invalidates all other
    /// tokens. The account may be closed: whoever took it over and closed it may
    /// have changed the password first.
    pub fn may_reset_password(&self, record: &MailTokenRecord, now: Timestamp) -> bool {
        self.may_sign_in(now)
            && record.user_id == self.id
            && record.email == self.email
            && record.epoch == self.session_epoch
    }
}

#[cfg(test)]
mod tests {
    use kernel::input::{FromInput, Value};

    use super::*;
    use crate::domain::user::tests::ada;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn email(text: &str) -> Email {
        Email::from_input(Value::Text(text)).unwrap()
    }

    #[test]
    fn only_the_current_address_is_verified_and_only_once() {
        let user = ada();
        let record = MailTokenRecord::verify_current_email(&user, NOW);
        let Some(Verification::Verified(proven)) = user.verify_email(&record, true) else {
            panic!("not verified")
        };
        let verified = &proven.user;
        assert!(verified.owner_proven() && verified.version == 2);
        assert!(verified.session_epoch == 1 && !proven.drops_factor);
        assert_eq!(
            verified.verify_email(&record, true),
            Some(Verification::AlreadyVerified)
        );
        let moved = User {
            email: email("new@example.com"),
            ..user.clone()
        };
        assert_eq!(moved.verify_email(&record, true), None);
        assert_eq!(ada().verify_email(&record, true), None, "another user");
    }

    #[test]
    fn a_new_address_replaces_only_the_one_that_it_was_requested_for() {
        let user = ada();
        let record = MailTokenRecord::verify_new_email(&user, email("new@example.com"), NOW);
        let Some(Verification::EmailChanged { proven, previous }) =
            user.verify_email(&record, true)
        else {
            panic!("not verified")
        };
        let moved = &proven.user;
        assert_eq!(previous, user.email);
        assert_eq!(moved.email, email("new@example.com"));
        assert!(moved.email_verified);
        assert_eq!(
            moved.verify_email(&record, true),
            None,
            "the address has changed already"
        );
        let later = User {
            session_epoch: 1,
            ..user.clone()
        };
        assert_eq!(
            later.verify_email(&record, true),
            None,
            "the sessions were ended"
        );
        // The token of the old address does not bring it back.
        assert_eq!(
            moved.verify_email(&MailTokenRecord::verify_current_email(&user, NOW), true),
            None
        );
    }

    #[test]
    fn without_a_session_whoever_has_the_credentials_has_proven_nothing() {
        let user = User {
            mfa_enabled: true,
            ..ada()
        };
        let record = MailTokenRecord::verify_current_email(&user, NOW);
        let Some(Verification::Verified(proven)) = user.verify_email(&record, false) else {
            panic!("not verified")
        };
        assert!(proven.drops_factor && proven.disables_mfa && !proven.user.mfa_enabled);
        let clicked = proven.user;
        assert!(clicked.email_verified && !clicked.owner_proven());
        let again = clicked.verify_email(&record, false);
        assert_eq!(again, Some(Verification::AlreadyVerified));
        let in_session = clicked.verify_email(&record, true);
        assert!(
            matches!(in_session, Some(Verification::Verified(proven)) if proven.user.owner_proven())
        );
        let reset = clicked.reset_password(PasswordHash("x".into()));
        assert!(reset.drops_factor && reset.user.owner_proven());
        let next = reset.user.reset_password(PasswordHash("y".into()));
        assert!(!next.drops_factor);
    }

    #[test]
    fn a_password_reset_needs_an_unchanged_account() {
        let user = ada();
        let record = MailTokenRecord::reset_password(&user, NOW);
        assert!(user.may_reset_password(&record, NOW) && !ada().may_reset_password(&record, NOW));
        let changes: [fn(&mut User); 3] = [
            |user| user.session_epoch = 1,
            |user| user.status = Status::Suspended,
            |user| user.email = email("new@example.com"),
        ];
        for change in changes {
            let mut user = user.clone();
            change(&mut user);
            assert!(!user.may_reset_password(&record, NOW), "{user:?}");
        }
    }

    #[test]
    fn a_token_expires() {
        let record = MailTokenRecord::reset_password(&ada(), NOW);
        let last = NOW + RESET_LIFETIME - SignedDuration::from_millis(1);
        assert!(record.is_usable(last) && !record.is_usable(NOW + RESET_LIFETIME));
    }
}
