//! Secrets of Secrets Manager.

use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError};

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
/// When either version cannot be read. A previous one that does not exist is no
/// error, because the secret has never been rotated; one that cannot be read
/// now, as when Secrets Manager throttles, is: without it, what was signed or
/// sealed before the last rotation would be refused until the next restart.
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
    let previous = match previous {
        Ok(version) => version.secret_string,
        Err(error) if is_missing(error.as_service_error()) => None,
        Err(error) => return Err(failed(error.into())),
    };
    Ok(SecretVersions { current, previous })
}

fn is_missing(error: Option<&GetSecretValueError>) -> bool {
    error.is_some_and(GetSecretValueError::is_resource_not_found_exception)
}
