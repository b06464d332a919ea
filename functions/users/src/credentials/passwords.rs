//! Hashing passwords with Argon2id and the parameters of OWASP's Password Storage
//! Cheat Sheet: 19 MiB, two passes, one lane. It takes about 20 ms of a processor.

use std::cell::RefCell;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{self, Output, ParamsString, Salt},
    },
};
use runtime::Random;

use crate::domain::{Password, PasswordHash};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Lambda has no second processor to fill another lane with.
const LANES: u32 = 1;

/// RFC 9106, section 3.1.
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

thread_local! {
    /// Argon2's working memory, which is reused: an allocator that gets 19 MB
    /// back again and again does not return the same 19 MB, and a function that
    /// logs people in grew to 88 MB.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A hash, with the parameters above, of 32 random bytes that were thrown away.
/// A password is compared with it when there is no account, so that this takes
/// as long as when there is one.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$I++jO5a0J4ADLrEerKWpVQ\
                          $UT15JNpXyR/qQmS9AJixRJjCz2lQWPpEi504/4TjhsY";

/// The outcome of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    Mismatch,
    Match {
        /// Whether the hash was made with other parameters than the current ones.
        needs_rehash: bool,
    },
}

/// A password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Argon2 failed, or the stored hash cannot be parsed.
    #[error("argon2 failed")]
    Argon2(#[source] password_hash::Error),
    #[error("the hashing thread panicked")]
    Thread(#[source] tokio::task::JoinError),
}

/// Hashes a password with a new salt, on a blocking thread.
///
/// # Errors
/// When there is not enough memory.
pub async fn hash(password: Password, random: &Random) -> Result<PasswordHash, PasswordError> {
    let salt: [u8; SALT_BYTES] = random.bytes();
    run(move || {
        let argon2 = argon2(Params::new(MEMORY_KIB, PASSES, LANES, None)?);
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params())?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(digest(&argon2, &password, &salt, HASH_BYTES)?),
        };
        Ok(PasswordHash(hash.to_string()))
    })
    .await
}

/// Compares a password with a hash or, when there is none, with a dummy, which
/// takes as long.
///
/// # Errors
/// When there is not enough memory, or the hash cannot be parsed.
pub async fn verify(
    password: Password,
    hash: Option<PasswordHash>,
) -> Result<PasswordCheck, PasswordError> {
    run(move || {
        let hash = hash.as_ref().map_or(DUMMY_HASH, |hash| &hash.0);
        let hash = phc::PasswordHash::new(hash)?;
        let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
            return Err(password_hash::Error::EncodingInvalid);
        };
        // With the parameters that the hash was made with.
        let argon2 = argon2(Params::try_from(&hash)?);
        let found = digest(&argon2, &password, &salt, expected.len())?;
        // `Output` compares in constant time.
        if found != expected {
            return Ok(PasswordCheck::Mismatch);
        }
        Ok(PasswordCheck::Match {
            needs_rehash: needs_rehash(&hash)?,
        })
    })
    .await
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn digest(
    argon2: &Argon2<'_>,
    password: &Password,
    salt: &[u8],
    bytes: usize,
) -> Result<Output, password_hash::Error> {
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer
        .get_mut(..bytes)
        .ok_or(password_hash::Error::OutputSize)?;
    MEMORY.with_borrow_mut(|memory| {
        let blocks = argon2.params().block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let memory = &mut memory[..blocks];
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, memory)
    })?;
    Ok(Output::new(out)?)
}

fn needs_rehash(hash: &phc::PasswordHash) -> Result<bool, password_hash::Error> {
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
    use argon2::{PasswordHasher, PasswordVerifier};
    use kernel::input::{FromInput, Value};

    use super::*;

    fn password(text: &str) -> Password {
        Password::from_input(Value::Text(text)).unwrap()
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let hash = hash(password("correct horse"), &Random::system())
            .await
            .unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        // The library agrees, with its own memory.
        let parsed = phc::PasswordHash::new(&hash.0).unwrap();
        Argon2::default()
            .verify_password(b"correct horse", &parsed)
            .unwrap();
        let check = verify(password("correct horse"), Some(hash.clone())).await;
        assert_eq!(
            check.unwrap(),
            PasswordCheck::Match {
                needs_rehash: false
            }
        );
        for wrong in ["correct horse ", "Correct horse", "correct horses"] {
            let check = verify(password(wrong), Some(hash.clone())).await;
            assert_eq!(check.unwrap(), PasswordCheck::Mismatch, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_password_is_not_truncated_before_128_characters() {
        let long = "a".repeat(128);
        let hash = hash(password(&long), &Random::system()).await.unwrap();
        let other = format!("{}b", &long[1..]);
        let check = verify(password(&other), Some(hash)).await;
        assert_eq!(check.unwrap(), PasswordCheck::Mismatch);
    }

    #[tokio::test]
    async fn a_hash_with_other_parameters_matches_and_needs_a_rehash() {
        let params = Params::new(8_192, 1, 1, None).unwrap();
        let old: phc::PasswordHash = Argon2::from(params)
            .hash_password(b"correct horse")
            .unwrap();
        let old = PasswordHash(old.to_string());
        let check = verify(password("correct horse"), Some(old.clone())).await;
        assert_eq!(check.unwrap(), PasswordCheck::Match { needs_rehash: true });
        let check = verify(password("another one"), Some(old)).await;
        assert_eq!(check.unwrap(), PasswordCheck::Mismatch);
    }

    #[tokio::test]
    async fn the_dummy_hash_has_the_current_parameters() {
        let dummy = phc::PasswordHash::new(DUMMY_HASH).unwrap();
        assert!(!needs_rehash(&dummy).unwrap());
        assert_eq!(dummy.hash.unwrap().len(), 32);
        let check = verify(password("correct horse"), None).await;
        assert_eq!(check.unwrap(), PasswordCheck::Mismatch);
    }
}
