//! What the tokens in e-mails stand for.

use kernel::{SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{Email, Status, User};

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

/// What verifying an address changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Verification {
    AlreadyVerified,
    /// The current address is now verified.
    Verified(Box<User>),
    /// The account has another address, which is verified.
    EmailChanged {
        user: Box<User>,
        previous: Email,
    },
}

impl User {
    /// Applies the token of an e-mail; `None` when the account has changed too
    /// much since. A new address replaces the current one only while no sessions
    /// were ended: whoever asked for the new address may be the reason why they
    /// were.
    pub fn verify_email(&self, record: &MailTokenRecord) -> Option<Verification> {
        let open = matches!(self.status, Status::Active | Status::Pending);
        if record.user_id != self.id || !open {
            return None;
        }
        let verified = Self {
            email: record.email.clone(),
            email_verified: true,
            version: self.version + 1,
            ..self.clone()
        };
        match &record.replaces {
            None if self.email != record.email => None,
            None if self.email_verified => Some(Verification::AlreadyVerified),
            None => Some(Verification::Verified(Box::new(verified))),
            Some(previous) if *previous == self.email && record.epoch == self.session_epoch => {
                Some(Verification::EmailChanged {
                    user: Box::new(verified),
                    previous: previous.clone(),
                })
            }
            Some(_) => None,
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
        let Some(Verification::Verified(verified)) = user.verify_email(&record) else {
            panic!("not verified")
        };
        assert!(verified.email_verified && verified.version == 2);
        assert_eq!(
            verified.verify_email(&record),
            Some(Verification::AlreadyVerified)
        );
        let moved = User {
            email: email("new@example.com"),
            ..user.clone()
        };
        assert_eq!(moved.verify_email(&record), None);
        assert_eq!(ada().verify_email(&record), None, "another user");
    }

    #[test]
    fn a_new_address_replaces_only_the_one_that_it_was_requested_for() {
        let user = ada();
        let record = MailTokenRecord::verify_new_email(&user, email("new@example.com"), NOW);
        let Some(Verification::EmailChanged {
            user: moved,
            previous,
        }) = user.verify_email(&record)
        else {
            panic!("not verified")
        };
        assert_eq!(previous, user.email);
        assert_eq!(moved.email, email("new@example.com"));
        assert!(moved.email_verified);
        assert_eq!(
            moved.verify_email(&record),
            None,
            "the address has changed already"
        );
        let later = User {
            session_epoch: 1,
            ..user.clone()
        };
        assert_eq!(later.verify_email(&record), None, "the sessions were ended");
        // The token of the old address does not bring it back.
        assert_eq!(
            moved.verify_email(&MailTokenRecord::verify_current_email(&user, NOW)),
            None
        );
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
