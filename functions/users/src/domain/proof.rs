//! What the tokens in mails prove.

use kernel::{SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{Email, Status, User};

/// How long an address can be verified with what was mailed.
pub const VERIFICATION_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How long a new password can be set with what was mailed. Short, because a
/// mailbox that somebody else reads is worth the account for as long.
pub const RESET_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// What whoever has a token has shown: that mail to an address arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Whose account it is about.
    pub user_id: UserId,
    /// Where the mail went.
    pub email: Email,
    /// The account's address at that time, when the one above is to take its
    /// place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Email>,
    /// The epoch of the account's sessions at that time.
    pub epoch: u32,
    /// Until when, in milliseconds since the Unix epoch; DynamoDB deletes late.
    pub usable_until: i64,
}

impl Proof {
    /// That the account's own address is the person's.
    pub fn of_address(user: &User, now: Timestamp) -> Self {
        Self::new(user, user.email.clone(), now, VERIFICATION_LIFETIME)
    }

    /// That another address is, which is then to be the account's.
    pub fn of_new_address(user: &User, email: Email, now: Timestamp) -> Self {
        Self {
            replaces: Some(user.email.clone()),
            ..Self::new(user, email, now, VERIFICATION_LIFETIME)
        }
    }

    /// That somebody who forgot the password is the person.
    pub fn for_reset(user: &User, now: Timestamp) -> Self {
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

    /// Whether the token may still be used.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        now.as_millisecond() < self.usable_until
    }
}

/// What a proof makes of an account.
#[derive(Clone, Debug, PartialEq)]
pub enum Verified {
    /// Nothing that was not so before.
    Already,
    /// The account's address is now known to be the person's.
    Address(Box<User>),
    /// The account has another address, which is known to be the person's.
    NewAddress {
        /// The account as it then is.
        user: Box<User>,
        /// Its address before.
        previous: Email,
    },
}

impl User {
    /// The account after a proof of an address; `None` when the proof is about
    /// an account as it is no more. An address that was to take the place of
    /// another may only do so while nothing has ended the account's sessions:
    /// whoever asked for it may be the reason why they were ended.
    pub fn verified(&self, proof: &Proof) -> Option<Verified> {
        let open = matches!(self.status, Status::Active | Status::Pending);
        if proof.user_id != self.id || !open {
            return None;
        }
        let verified = Self {
            email: proof.email.clone(),
            email_verified: true,
            version: self.version + 1,
            ..self.clone()
        };
        match &proof.replaces {
            None if self.email != proof.email => None,
            None if self.email_verified => Some(Verified::Already),
            None => Some(Verified::Address(Box::new(verified))),
            Some(old) if *old == self.email && proof.epoch == self.session_epoch => {
                Some(Verified::NewAddress {
                    user: Box::new(verified),
                    previous: old.clone(),
                })
            }
            Some(_) => None,
        }
    }

    /// Whether a new password may be set with a proof: the account is as it was
    /// when the mail was asked for. So setting one ends all other proofs. It may
    /// be an account that was closed: whoever took it over and closed it may
    /// have changed the password first.
    pub fn may_reset(&self, proof: &Proof, now: Timestamp) -> bool {
        self.may_sign_in(now)
            && proof.user_id == self.id
            && proof.email == self.email
            && proof.epoch == self.session_epoch
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
    fn an_address_is_verified_once_and_only_while_it_is_the_accounts() {
        let user = ada();
        let proof = Proof::of_address(&user, NOW);
        let Some(Verified::Address(verified)) = user.verified(&proof) else {
            panic!("not verified")
        };
        assert!(verified.email_verified && verified.version == 2);
        assert_eq!(verified.verified(&proof), Some(Verified::Already));
        let moved = User {
            email: email("new@example.com"),
            ..user.clone()
        };
        assert_eq!(moved.verified(&proof), None);
        assert_eq!(ada().verified(&proof), None, "somebody else");
    }

    #[test]
    fn a_new_address_needs_the_account_to_be_as_it_was() {
        let user = ada();
        let proof = Proof::of_new_address(&user, email("new@example.com"), NOW);
        let Some(Verified::NewAddress {
            user: moved,
            previous,
        }) = user.verified(&proof)
        else {
            panic!("not verified")
        };
        assert_eq!(previous, user.email);
        assert_eq!(moved.email, email("new@example.com"));
        assert!(moved.email_verified);
        assert_eq!(moved.verified(&proof), None, "it has moved already");
        let later = User {
            session_epoch: 1,
            ..user.clone()
        };
        assert_eq!(later.verified(&proof), None, "its sessions were ended");
        // Nor does the proof of the old address bring it back.
        assert_eq!(moved.verified(&Proof::of_address(&user, NOW)), None);
    }

    #[test]
    fn a_reset_needs_the_account_to_be_as_it_was() {
        let user = ada();
        let proof = Proof::for_reset(&user, NOW);
        assert!(user.may_reset(&proof, NOW) && !ada().may_reset(&proof, NOW));
        let changes: [fn(&mut User); 3] = [
            |user| user.session_epoch = 1,
            |user| user.status = Status::Suspended,
            |user| user.email = email("new@example.com"),
        ];
        for change in changes {
            let mut user = user.clone();
            change(&mut user);
            assert!(!user.may_reset(&proof, NOW), "{user:?}");
        }
    }

    #[test]
    fn a_proof_is_usable_for_a_time() {
        let proof = Proof::for_reset(&ada(), NOW);
        let last = NOW + RESET_LIFETIME - SignedDuration::from_millis(1);
        assert!(proof.is_usable(last) && !proof.is_usable(NOW + RESET_LIFETIME));
    }
}
