//! AWS clients, configured from the environment. The `aws_config` crate would
//! look in eight places for what Lambda puts into three variables, and adds 4 MB.
//!
//! Every client has timeouts (the SDK has none by default: a call without an
//! answer hangs until Lambda kills the function) and bounded retries with jitter.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::BehaviorVersion;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{
    SdkConfig,
    region::Region,
    sdk_config::{SharedCredentialsProvider, SharedHttpClient},
};

use crate::{Clock, Environment, EnvironmentError};

/// For opening a connection. AWS is in the same region: 300 ms is long.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// For one attempt of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// For all attempts of a call together; functions have 10 s.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts of a call.
const ATTEMPTS_MAX: u32 = 3;
/// The longest wait before the second attempt; it doubles with the third. The
/// SDK's own is one second, a third of all the time that a call has.
const BACK_OFF: Duration = Duration::from_millis(50);
/// For one attempt of a call to another function, which may have to start first.
/// Long enough that a slow function is not called a second time while the first
/// call runs, when both would write the same items; a call that fails at once is
/// retried.
const INVOKE_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(3_300);
/// For all attempts of such a call together: with one call to the store before
/// it and one after it, it fits into the 10 s that a function has.
const INVOKE_OPERATION_TIMEOUT: Duration = Duration::from_millis(3_500);

/// The roots of Amazon Trust Services, which sign the certificates of AWS
/// endpoints (<https://www.amazontrust.com/repository/>); the first expires in 2037.
const AMAZON_TRUST_SERVICES: &[u8] = include_bytes!("amazon-trust-services.pem");
/// The variable that names a file of other roots: for a proxy, or for AWS
/// partitions with other certificate authorities.
const ROOTS_FILE: &str = "SSL_CERT_FILE";

/// Makes the AWS clients of a function.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    environment: Environment,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $sdk:ident, $variable:literal;)+) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $sdk::Client {
            let mut config =
                $sdk::config::Builder::from(&self.config).retry_partition(own_retries());
            if let Some(url) = self.endpoint($variable) {
                config = config.endpoint_url(url);
            }
            $sdk::Client::from_conf(config.build())
        }
    )+};
}

impl Aws {
    /// Reads region, credentials and endpoints from the environment: the
    /// variables that Lambda sets, and `AWS_ENDPOINT_URL[_<SERVICE>]`.
    ///
    /// # Errors
    /// When the region or the credentials are not set, or the roots cannot be read.
    pub fn from_environment(environment: &Environment) -> Result<Self, EnvironmentError> {
        let credentials = Credentials::new(
            environment.require("AWS_ACCESS_KEY_ID")?,
            environment.require("AWS_SECRET_ACCESS_KEY")?,
            environment.get("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.require("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(match environment.host().transport() {
                Some(transport) => transport.clone(),
                None => http_client(environment)?,
            })
            .time_source(SharedTimeSource::new(SigningTime(
                environment.host().clock().clone(),
            )))
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                TokioSleep::new(),
            ))
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS_MAX)
                    .with_initial_backoff(BACK_OFF),
            )
            .build();
        Ok(Self {
            config,
            environment: environment.clone(),
        })
    }

    clients! {
        /// DynamoDB.
        dynamodb: aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB";
        /// SQS.
        sqs: aws_sdk_sqs, "AWS_ENDPOINT_URL_SQS";
        /// SNS.
        sns: aws_sdk_sns, "AWS_ENDPOINT_URL_SNS";
        /// SES, version 1: it sends e-mail, and every emulator has it.
        ses: aws_sdk_ses, "AWS_ENDPOINT_URL_SES";
        /// Secrets Manager.
        secrets: aws_sdk_secretsmanager, "AWS_ENDPOINT_URL_SECRETS_MANAGER";
    }

    /// Lambda, to call another function: it may have to start first, so this
    /// client waits longer.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let mut config = aws_sdk_lambda::config::Builder::from(&self.config)
            .retry_partition(own_retries())
            .timeout_config(timeouts(INVOKE_ATTEMPT_TIMEOUT, INVOKE_OPERATION_TIMEOUT));
        if let Some(url) = self.endpoint("AWS_ENDPOINT_URL_LAMBDA") {
            config = config.endpoint_url(url);
        }
        aws_sdk_lambda::Client::from_conf(config.build())
    }

    fn endpoint(&self, variable: &str) -> Option<&str> {
        self.environment
            .get(variable)
            .or_else(|| self.environment.get("AWS_ENDPOINT_URL"))
    }
}

/// Requests are signed at the host's time.
#[derive(Debug)]
struct SigningTime(Clock);

impl TimeSource for SigningTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// Retries that a client may still make. The SDK lets all clients of a process share
/// them; where functions share a process, one in trouble would stop the retries of all.
fn own_retries() -> RetryPartition {
    let tokens = TokenBucket::default();
    RetryPartition::custom("own").token_bucket(tokens).build()
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// An HTTPS client, or one for plain HTTP when the endpoints use that (a laptop).
fn http_client(environment: &Environment) -> Result<SharedHttpClient, EnvironmentError> {
    let plain = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"]
        .iter()
        .any(|name| {
            environment
                .get(name)
                .is_some_and(|url| url.starts_with("http://"))
        });
    let builder = aws_smithy_http_client::Builder::new();
    if plain {
        return Ok(builder.build_http());
    }
    let context = TlsContext::builder()
        .with_trust_store(trust_store(environment))
        .build()
        .map_err(|_| EnvironmentError::Unreadable {
            name: ROOTS_FILE.to_owned(),
            expected: "a file of certificates",
        })?;
    Ok(builder
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

/// Amazon's roots, unless [`ROOTS_FILE`] names others. Reading all roots of a
/// system took longer than everything else at the start.
fn trust_store(environment: &Environment) -> TrustStore {
    match environment.get(ROOTS_FILE) {
        // The client reads the file itself.
        Some(_) => TrustStore::empty().with_native_roots(true),
        None => TrustStore::empty().with_pem_certificate(AMAZON_TRUST_SERVICES),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn the_roots_in_the_binary_are_certificates_and_make_a_client() {
        let text = std::str::from_utf8(AMAZON_TRUST_SERVICES).unwrap();
        let blocks: Vec<String> = text
            .split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .map(|block| {
                let (body, _) = block.split_once("-----END CERTIFICATE-----").unwrap();
                body.split_whitespace().collect()
            })
            .collect();
        assert_eq!(blocks.len(), 5);
        for block in blocks {
            let der = STANDARD.decode(block).unwrap();
            // A sequence of two length bytes that say what is there (X.690, 8.1).
            assert_eq!(der[..2], [0x30, 0x82]);
            let length = usize::from(u16::from_be_bytes([der[2], der[3]]));
            assert_eq!(length, der.len() - 4);
        }
        http_client(&Environment::default()).unwrap();
    }
}
