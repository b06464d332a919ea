//! Secrets of Secrets Manager.

use aws_sdk_secretsmanager::Client;

use crate::Error;

/// A secret could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the secret {name} cannot be read")]
pub struct SecretError {
    name: String,
    #[source]
    source: Error,
}

/// A secret, and what it was before its last rotation.
#[derive(Clone)]
pub struct SecretVersions {
    /// Signs, seals and verifies.
    pub current: String,
    /// Still verifies and opens.
    pub previous: Option<String>,
}

/// Reads both versions of a secret.
///
/// # Errors
/// When the current version cannot be read. A missing previous one is no error:
/// the secret has never been rotated.
pub async fn read_secret(client: &Client, name: &str) -> Result<SecretVersions, SecretError> {
    let version = |stage: &'static str| {
        client
            .get_secret_value()
            .secret_id(name)
            .version_stage(stage)
            .send()
    };
    let (current, previous) = tokio::join!(version("AWSCURRENT"), version("AWSPREVIOUS"));
    let failed = |source: Error| SecretError {
        name: name.to_owned(),
        source,
    };
    let current = current
        .map_err(|error| failed(error.into()))?
        .secret_string
        .ok_or_else(|| failed("it has no text value".into()))?;
    let previous = previous.ok().and_then(|version| version.secret_string);
    Ok(SecretVersions { current, previous })
}
