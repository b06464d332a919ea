//! The keys of access tokens while their secret changes.
//!
//! A running function has the secret as it was at its start. When the secret is
//! changed, functions that start later sign with a key that it does not know:
//! then it reads the secret again. Whoever sends tokens with made-up key ids
//! makes it do so once a minute at most. The function that publishes the keys
//! sees no tokens: it reads the secret again when it has had it for a minute.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use runtime::{BoxFuture, Error, http::Role, log};
use serde_json::Value;

use super::{AccessTokens, Claims, Rejected, SignError};

/// How often the secret is read again at most.
const REREAD_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Reads the secret again.
pub type Reread = Box<dyn Fn() -> BoxFuture<Result<AccessTokens, Error>> + Send + Sync>;

/// Makes and checks access tokens, with the keys of now.
pub struct KeyRing {
    tokens: Mutex<Arc<AccessTokens>>,
    read_at: Mutex<Option<Timestamp>>,
    reread: Option<Reread>,
}

impl From<AccessTokens> for KeyRing {
    fn from(tokens: AccessTokens) -> Self {
        Self {
            tokens: Mutex::new(Arc::new(tokens)),
            read_at: Mutex::new(None),
            reread: None,
        }
    }
}

impl KeyRing {
    /// The same keys, which are read again when there are others.
    #[must_use]
    pub fn rereading(self, reread: Reread) -> Self {
        Self {
            reread: Some(reread),
            ..self
        }
    }

    /// The same keys, which were read at a time: they are not read again before
    /// they are old.
    #[must_use]
    pub fn read_at(self, at: Timestamp) -> Self {
        Self {
            read_at: Mutex::new(Some(at)),
            ..self
        }
    }

    /// The public keys as a JWK set, read again when they are old.
    pub async fn key_set(&self, now: Timestamp) -> Value {
        self.read_again(now).await;
        self.tokens().key_set()
    }

    /// A token for a session.
    ///
    /// # Errors
    /// When it cannot be signed, which is a defect.
    pub fn issue(
        &self,
        user_id: UserId,
        session_id: SessionId,
        role: Role,
        now: Timestamp,
    ) -> Result<String, SignError> {
        self.tokens().issue(user_id, session_id, role, now)
    }

    /// Checks a token; see [`AccessTokens::verify`].
    ///
    /// # Errors
    /// [`Rejected`].
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
        let tokens = self.tokens();
        if !tokens.has_key_of(token) {
            self.read_again(now).await;
        }
        self.tokens().verify(token, now)
    }

    fn tokens(&self) -> Arc<AccessTokens> {
        let tokens = self.tokens.lock();
        tokens.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read_again(&self, now: Timestamp) {
        let Some(reread) = &self.reread else { return };
        if !self.is_due(now) {
            return;
        }
        match reread().await {
            Ok(tokens) => {
                let mut held = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Arc::new(tokens);
            }
            // The keys that there are stay good.
            Err(error) => {
                let error = log::error_chain(error.as_ref());
                tracing::warn!(error, "the secret cannot be read again");
            }
        }
    }

    /// Whether the last time is long enough ago; if so, this is the last time.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = read_at.is_none_or(|at| now.duration_since(at) >= REREAD_AFTER);
        if due {
            *read_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

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
        let ids = (testkit::new_id::<UserId>(), testkit::new_id::<SessionId>());
        tokens.issue(ids.0, ids.1, Role::User, now).unwrap()
    }

    #[tokio::test]
    async fn a_changed_secret_signs_nobody_out_and_is_read_once_a_minute_at_most() {
        static READ: AtomicU32 = AtomicU32::new(0);
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let ring = KeyRing::from(tokens("one", None)).rereading(Box::new(|| {
            READ.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(tokens("two", Some("one"))) })
        }));
        let old = issue(&tokens("one", None), now);
        assert!(ring.verify(&old, now).await.is_ok());
        assert_eq!(READ.load(Ordering::SeqCst), 0);
        // Somebody else signs with the new key already.
        let new = issue(&tokens("two", None), now);
        assert!(ring.verify(&new, now).await.is_ok());
        assert!(ring.verify(&old, now).await.is_ok(), "nobody is signed out");
        // A key that nobody has is looked for, but not all the time.
        let forged = issue(&tokens("three", None), now);
        for second in 0..59 {
            let now = now + SignedDuration::from_secs(second);
            assert!(ring.verify(&forged, now).await.is_err());
        }
        assert_eq!(READ.load(Ordering::SeqCst), 1);
        let later = now + SignedDuration::from_secs(60);
        for nonsense in ["", "x", "a.b.c", &forged] {
            assert!(ring.verify(nonsense, later).await.is_err());
        }
        assert_eq!(READ.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn when_the_secret_cannot_be_read_the_keys_that_there_are_stay_good() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let ring = KeyRing::from(tokens("one", None)).rereading(Box::new(|| {
            Box::pin(async { Err("it is not there".into()) })
        }));
        assert!(
            ring.verify(&issue(&tokens("two", None), now), now)
                .await
                .is_err()
        );
        assert!(
            ring.verify(&issue(&tokens("one", None), now), now)
                .await
                .is_ok()
        );
    }
}
