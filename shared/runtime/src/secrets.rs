//! Secrets, read once at the start.

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

/// A secret as it is now, and as it was before its last rotation.
#[derive(Clone)]
pub struct SecretVersions {
    /// What is used to sign or to compare.
    pub current: String,
    /// What is still good for checking.
    pub previous: Option<String>,
}

/// Reads a secret in both of its versions.
///
/// # Errors
/// When the current version cannot be read; that there is no previous one is
/// the usual case.
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
        .ok_or_else(|| failed("it has no text".into()))?;
    let previous = previous.ok().and_then(|version| version.secret_string);
    Ok(SecretVersions { current, previous })
}
