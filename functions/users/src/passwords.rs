//! Hashing passwords with Argon2id, as OWASP's Password Storage Cheat Sheet
//! has it: 19 MiB, two passes, one lane. It takes about 20 ms of a processor.

use std::cell::RefCell;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{self, Output, ParamsString, Salt},
    },
};

use crate::domain::{Password, PasswordHash};

/// Memory, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes; Lambda has no second processor to fill another with.
const LANES: u32 = 1;

/// Bytes of a salt, and of a hash (RFC 9106, section 3.1).
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

thread_local! {
    /// What Argon2 works in. It is kept: an allocator that gets 19 MB back again
    /// and again does not give the same 19 MB again, and a function that logs
    /// people in grew to 88 MB.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

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
        let argon2 = argon2(Params::new(MEMORY_KIB, PASSES, LANES, None)?);
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| password_hash::Error::Crypto)?;
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
        let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
            return Err(password_hash::Error::EncodingInvalid);
        };
        // The parameters are those of the hash, whatever they are now.
        let argon2 = argon2(Params::try_from(&hash)?);
        let found = digest(&argon2, &password, &salt, expected.len())?;
        // In constant time (`Output`).
        if found != expected {
            return Ok(Verdict::Wrong);
        }
        Ok(Verdict::Right {
            outdated: outdated(&hash)?,
        })
    })
    .await
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Argon2id of a password, in this thread's memory.
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
    use argon2::{PasswordHasher, PasswordVerifier};
    use kernel::input::{FromInput, Value};

    use super::*;

    fn password(text: &str) -> Password {
        Password::from_input(Value::Text(text)).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_and_every_other_is_wrong() {
        let hash = hash(password("correct horse")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        // The library, with memory of its own, says the same.
        let parsed = phc::PasswordHash::new(&hash.0).unwrap();
        Argon2::default()
            .verify_password(b"correct horse", &parsed)
            .unwrap();
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
