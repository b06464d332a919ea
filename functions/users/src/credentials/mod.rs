//! What proves who somebody is, and the secrets behind it.

pub mod internal_key;
pub mod passwords;
pub mod second_factors;
pub mod tokens;

use std::future::Future;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dynamo::CursorKey;
use runtime::{Environment, Error, SealKey, SecretVersions, aws::Aws, read_secret};
use sha2::{Digest, Sha256};

use self::{internal_key::InternalKey, second_factors::SecondFactors};

/// The purpose of the key that seals tokens in events; the notifications
/// service opens them with the same.
const MAIL_PURPOSE: &str = "email-token";

/// Credentials that a function reads when it starts.
pub trait Credentials: Sized + Send {
    /// Reads them.
    ///
    /// # Errors
    /// When a variable is missing, or a secret cannot be read or is too short.
    fn read(environment: &Environment) -> impl Future<Output = Result<Self, Error>> + Send;
}

impl Credentials for () {
    async fn read(_: &Environment) -> Result<Self, Error> {
        Ok(())
    }
}

impl<A: Credentials, B: Credentials> Credentials for (A, B) {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        tokio::try_join!(A::read(environment), B::read(environment))
    }
}

impl Credentials for CursorKey {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self::from_environment(environment)?)
    }
}

impl Credentials for InternalKey {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self::new(
            &secret(environment, "INTERNAL_KEY_SECRET").await?,
        )?)
    }
}

/// Seals the tokens that are sent by e-mail.
impl Credentials for SealKey {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        let secret = secret(environment, "MAIL_SECRET").await?;
        let random = environment.host().random().clone();
        Ok(Self::new(secret, MAIL_PURPOSE, random))
    }
}

impl Credentials for SecondFactors {
    async fn read(environment: &Environment) -> Result<Self, Error> {
        let secret = secret(environment, "MFA_SECRET").await?;
        Ok(Self::new(secret, environment.host().random()))
    }
}

/// The secret whose name is in a variable.
async fn secret(environment: &Environment, variable: &str) -> Result<SecretVersions, Error> {
    let client = Aws::from_environment(environment)?.secrets();
    Ok(read_secret(&client, environment.require(variable)?).await?)
}

/// SHA-256, base64url. Unsalted and with one pass, because what is hashed is random.
fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
