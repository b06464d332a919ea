//! Hashing passwords with Argon2id, as OWASP's Password Storage Cheat Sheet
//! has it: 19 MiB, two passes, one lane. It takes about 20 ms of a processor.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc},
};

use crate::domain::{Password, PasswordHash};

/// Memory, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes; Lambda has no second processor to fill another with.
const LANES: u32 = 1;

/// A hash, with the parameters above, of a password that nobody has (32 random
/// bytes that were thrown away): what a password is compared with when there
/// is no account, so that this takes as long as when there is one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$I++jO5a0J4ADLrEerKWpVQ\
                      $UT15JNpXyR/qQmS9AJixRJjCz2lQWPpEi504/4TjhsY";

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or nobody's.
    Wrong,
    /// It is the password; its hash is `outdated` when it was made with other
    /// parameters than are used now.
    Right {
        /// Whether it should be hashed again.
        outdated: bool,
    },
}

/// A password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Argon2 failed, or the hash in the store does not read.
    #[error("argon2 failed")]
    Argon2(#[source] password_hash::Error),
    /// The thread that did it panicked.
    #[error("the hashing thread failed")]
    Thread(#[source] tokio::task::JoinError),
}

/// Hashes a password with a new salt, on a thread of its own: it would hold up
/// all else that the process does.
///
/// # Errors
/// When the system has no memory or no randomness.
pub async fn hash(password: Password) -> Result<PasswordHash, PasswordError> {
    run(move || {
        let hash: phc::PasswordHash = argon2()?.hash_password(password.as_bytes())?;
        Ok(PasswordHash(hash.to_string()))
    })
    .await
}

/// Compares a password with a hash, or, when there is none, with one that no
/// password has; that takes as long.
///
/// # Errors
/// When the system has no memory, or the hash does not read.
pub async fn verify(
    password: Password,
    hash: Option<PasswordHash>,
) -> Result<Verdict, PasswordError> {
    run(move || {
        let hash = hash.as_ref().map_or(NOBODY, |hash| &hash.0);
        let hash = phc::PasswordHash::new(hash)?;
        // The parameters are those of the hash, whatever they are now.
        match argon2()?.verify_password(password.as_bytes(), &hash) {
            Ok(()) => Ok(Verdict::Right {
                outdated: outdated(&hash)?,
            }),
            Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
            Err(error) => Err(error),
        }
    })
    .await
}

fn argon2() -> Result<Argon2<'static>, password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn outdated(hash: &phc::PasswordHash) -> Result<bool, password_hash::Error> {
    let params = Params::try_from(hash)?;
    let same = hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES);
    Ok(!same)
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, password_hash::Error> + Send + 'static,
) -> Result<T, PasswordError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PasswordError::Thread)?
        .map_err(PasswordError::Argon2)
}

#[cfg(test)]
mod tests {
    use kernel::input::{FromInput, Value};

    use super::*;

    fn password(text: &str) -> Password {
        Password::from_input(Value::Text(text)).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_and_every_other_is_wrong() {
        let hash = hash(password("correct horse")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verdict = verify(password("correct horse"), Some(hash.clone())).await;
        assert_eq!(verdict.unwrap(), Verdict::Right { outdated: false });
        for wrong in ["correct horse ", "Correct horse", "correct horses"] {
            let verdict = verify(password(wrong), Some(hash.clone())).await;
            assert_eq!(verdict.unwrap(), Verdict::Wrong, "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_128th_character_counts() {
        let long = "a".repeat(128);
        let hash = hash(password(&long)).await.unwrap();
        let other = format!("{}b", &long[1..]);
        let verdict = verify(password(&other), Some(hash)).await;
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_with_other_parameters_is_right_and_outdated() {
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let old: phc::PasswordHash = Argon2::from(params)
            .hash_password(b"correct horse")
            .unwrap();
        let old = PasswordHash(old.to_string());
        let verdict = verify(password("correct horse"), Some(old.clone())).await;
        assert_eq!(verdict.unwrap(), Verdict::Right { outdated: true });
        let verdict = verify(password("another one"), Some(old)).await;
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_is_compared_with_a_hash_of_the_same_parameters() {
        let nobody = phc::PasswordHash::new(NOBODY).unwrap();
        assert!(!outdated(&nobody).unwrap());
        assert_eq!(nobody.hash.unwrap().len(), 32);
        let verdict = verify(password("correct horse"), None).await;
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
    }
}
