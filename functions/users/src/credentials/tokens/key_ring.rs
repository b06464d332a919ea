//! The keys of access tokens while their secret is rotated.
//!
//! A running function has the secret of its start. After a rotation, functions that
//! start later sign with a key that it does not know: then it reads the secret again,
//! at most once a minute, so that tokens with invented key ids cannot make it read all
//! the time. The function that publishes the keys sees no tokens: it reads the secret
//! again when its copy is a minute old.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::{Principal, SignedDuration, Timestamp, UserId};
use runtime::{BoxFuture, Environment, Error, Random, log};
use serde_json::Value;
use uuid::Uuid;

use super::{AccessTokens, Claims, DeviceToken, SignError, TokenError};
use crate::{
    credentials::{Credentials, secret},
    domain::{PasswordHash, User},
};

/// The issuer of the tokens, unless `TOKEN_ISSUER` is set.
const ISSUER_DEFAULT: &str = "emporium";
/// The time between two reads of the secret at least.
const RELOAD_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

type Reload = Box<dyn Fn() -> BoxFuture<Result<AccessTokens, Error>> + Send + Sync>;

/// Issues and verifies access and device tokens with the current keys.
pub struct KeyRing {
    tokens: Mutex<Arc<AccessTokens>>,
    reloaded_at: Mutex<Option<Timestamp>>,
    reload: Reload,
}

impl Credentials for KeyRing {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        let tokens = read_tokens(environment).await?;
        let environment = environment.clone();
        let reload: Reload = Box::new(move || {
            let environment = environment.clone();
            Box::pin(async move { read_tokens(&environment).await })
        });
        Ok(Self::new(tokens, reload))
    }
}

async fn read_tokens(environment: &Environment) -> Result<AccessTokens, Error> {
    let issuer = environment.get("TOKEN_ISSUER").unwrap_or(ISSUER_DEFAULT);
    let secret = secret(environment, "AUTH_SECRET").await?;
    Ok(AccessTokens::new(issuer, &secret)?)
}

impl KeyRing {
    fn new(tokens: AccessTokens, reload: Reload) -> Self {
        Self {
            tokens: Mutex::new(Arc::new(tokens)),
            reloaded_at: Mutex::new(None),
            reload,
        }
    }

    /// Notes when the keys were read: they are not read again within a minute.
    #[must_use]
    pub fn loaded_at(self, at: Timestamp) -> Self {
        Self {
            reloaded_at: Mutex::new(Some(at)),
            ..self
        }
    }

    /// The public keys as a JWK set, at most a minute old.
    pub async fn key_set(&self, now: Timestamp) -> Value {
        self.reload_if_due(now).await;
        self.tokens().key_set()
    }

    /// See [`AccessTokens::issue`].
    ///
    /// # Errors
    /// When the token cannot be signed, which is a defect.
    pub fn issue(
        &self,
        principal: &Principal,
        id: Uuid,
        now: Timestamp,
    ) -> Result<String, SignError> {
        self.tokens().issue(principal, id, now)
    }

    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if !self.tokens().has_key_of(token) {
            self.reload_if_due(now).await;
        }
        self.tokens().verify(token, now)
    }

    /// A token for the device from which somebody has just shown all that the account
    /// has: a new one, or the one that it was `known` as.
    pub fn issue_device(
        &self,
        account: (UserId, &PasswordHash),
        known: Option<Uuid>,
        random: &Random,
        now: Timestamp,
    ) -> String {
        self.tokens().devices.issue(account, known, random, now)
    }

    /// Whether a device has logged in to the account before, with the password that it
    /// still has. A token that a newer key has signed is not recognised: that costs its
    /// device no more than its privilege, and the next login gives another.
    pub fn recognises(&self, token: &DeviceToken, user: Option<&User>, now: Timestamp) -> bool {
        self.tokens().devices.recognises(token, user, now)
    }

    fn tokens(&self) -> Arc<AccessTokens> {
        let tokens = self.tokens.lock();
        tokens.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn reload_if_due(&self, now: Timestamp) {
        if !self.claim_reload(now) {
            return;
        }
        match (self.reload)().await {
            Ok(tokens) => {
                let mut current = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(tokens);
            }
            // The keys in memory stay in use.
            Err(error) => {
                let error = log::error_chain(error.as_ref());
                tracing::warn!(error, "the secret of access tokens cannot be reloaded");
            }
        }
    }

    /// Whether a reload is due; if so, the caller has to make it.
    fn claim_reload(&self, now: Timestamp) -> bool {
        let mut reloaded_at = self
            .reloaded_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let due = reloaded_at.is_none_or(|at| now.duration_since(at) >= RELOAD_INTERVAL);
        if due {
            *reloaded_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use kernel::Role;
    use runtime::SecretVersions;

    use super::*;

    fn tokens(current: &str, previous: Option<&str>) -> AccessTokens {
        let long = |text: &str| format!("{text}: a secret with thirty-two bytes or more");
        let secret = SecretVersions {
            current: long(current),
            previous: previous.map(long),
        };
        AccessTokens::new("emporium", &secret).unwrap()
    }

    fn issue(tokens: &AccessTokens, now: Timestamp) -> String {
        let principal = Principal {
            user_id: testkit::new_id(),
            session_id: testkit::new_id(),
            role: Role::User,
            withheld: None,
            unverified: false,
        };
        tokens.issue(&principal, testkit::new_id(), now).unwrap()
    }

    #[tokio::test]
    async fn a_rotation_signs_nobody_out_and_the_secret_is_read_at_most_once_a_minute() {
        static READS: AtomicU32 = AtomicU32::new(0);
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let reload: Reload = Box::new(|| {
            READS.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(tokens("new", Some("old"))) })
        });
        let ring = KeyRing::new(tokens("old", None), reload);
        let old = issue(&tokens("old", None), now);
        assert!(ring.verify(&old, now).await.is_ok());
        assert_eq!(READS.load(Ordering::SeqCst), 0);
        // Another function signs with the new key already.
        let new = issue(&tokens("new", None), now);
        assert!(ring.verify(&new, now).await.is_ok());
        assert!(ring.verify(&old, now).await.is_ok(), "nobody is signed out");
        // An unknown key makes it read the secret, but not every time.
        let forged = issue(&tokens("forged", None), now);
        for second in 0..59 {
            let now = now + SignedDuration::from_secs(second);
            assert!(ring.verify(&forged, now).await.is_err());
        }
        assert_eq!(READS.load(Ordering::SeqCst), 1);
        let later = now + SignedDuration::from_secs(60);
        for nonsense in ["", "x", "a.b.c", &forged] {
            assert!(ring.verify(nonsense, later).await.is_err());
        }
        assert_eq!(READS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn the_keys_stay_in_use_when_the_secret_cannot_be_read() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let reload: Reload = Box::new(|| Box::pin(async { Err("it is not there".into()) }));
        let ring = KeyRing::new(tokens("old", None), reload);
        let new = issue(&tokens("new", None), now);
        assert!(ring.verify(&new, now).await.is_err());
        let old = issue(&tokens("old", None), now);
        assert!(ring.verify(&old, now).await.is_ok());
    }
}
