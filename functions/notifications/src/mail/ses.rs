//! Amazon SES.

use std::time::Duration;

use aws_sdk_ses::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::{SendEmailError, builders::SendEmailFluentBuilder},
    types::{Body, Content, Destination, Message, MessageTag},
};
use runtime::{BoxFuture, Random, metrics::Dependency};

use super::{Mail, Mailer, SendMailError};

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Longer than for other calls: one that times out may have sent the email,
/// which is then sent again. Functions have 10 s.
const SEND_TIMEOUT: Duration = Duration::from_secs(4);
/// Attempts while SES throttles; its sandbox accepts one email a second.
const ATTEMPTS_MAX: u32 = 4;
/// The minimum wait before the second attempt; it doubles with each further one,
/// and jitter adds up to as much again.
const BACK_OFF: Duration = Duration::from_millis(250);
/// The longest value of a tag, in characters (a limit of SES).
const TAG_LENGTH_MAX: usize = 255;

#[derive(Clone, Debug)]
pub struct SesMailer {
    client: Client,
    from: String,
    configuration_set: Option<String>,
    random: Random,
}

impl SesMailer {
    /// Sends from `from`, an identity that SES has verified, and reports bounces and
    /// complaints to `configuration_set` if there is one.
    ///
    /// The SDK's own retries are disabled. SES has no idempotency token: an email
    /// whose reply is lost would be sent twice in one attempt, unnoticed.
    pub fn new(
        client: &Client,
        from: &str,
        configuration_set: Option<&str>,
        random: Random,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(SEND_TIMEOUT)
            .build();
        let config = client
            .config()
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        Self {
            client: Client::from_conf(config.build()),
            from: from.to_owned(),
            configuration_set: configuration_set.map(str::to_owned),
            random,
        }
    }

    fn request(&self, mail: &Mail) -> Result<SendEmailFluentBuilder, SendMailError> {
        let content = |text: &str| {
            let content = Content::builder().data(text).charset("UTF-8").build();
            content.map_err(|error| SendMailError::Failed(error.into()))
        };
        let body = Body::builder()
            .text(content(&mail.text)?)
            .html(content(&mail.html)?)
            .build();
        let message = Message::builder()
            .subject(content(&mail.subject)?)
            .body(body)
            .build();
        let request = self
            .client
            .send_email()
            .source(&self.from)
            .set_configuration_set_name(self.configuration_set.clone())
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .message(message);
        if mail.correlation_id.is_empty() {
            return Ok(request);
        }
        // SES adds it to its delivery events; `SendEmail` cannot set headers.
        let tag = MessageTag::builder()
            .name("correlation-id")
            .value(tag_value(&mail.correlation_id))
            .build()
            .map_err(|error| SendMailError::Failed(error.into()))?;
        Ok(request.tags(tag))
    }
}

impl Mailer for SesMailer {
    fn send(&self, mail: Mail) -> BoxFuture<Result<String, SendMailError>> {
        let mailer = self.clone();
        Box::pin(async move {
            let request = mailer.request(&mail)?;
            let mut attempt = 1;
            loop {
                match request.clone().send().await {
                    Ok(sent) => return Ok(sent.message_id),
                    Err(error) if attempt < ATTEMPTS_MAX && is_throttled(&error) => {
                        let wait = BACK_OFF * 2_u32.pow(attempt - 1);
                        tokio::time::sleep(wait + mailer.random.jitter(wait)).await;
                        attempt += 1;
                    }
                    Err(error) => {
                        let error = classify(error);
                        if matches!(error, SendMailError::Failed(_)) {
                            Dependency::Ses.failed();
                        }
                        return Err(error);
                    }
                }
            }
        })
    }
}

/// Whether SES rejected the email only because of the rate: nothing was sent.
fn is_throttled(error: &SdkError<SendEmailError>) -> bool {
    matches!(error.code(), Some("Throttling" | "ThrottlingException"))
}

/// Distinguishes rejections from failures that may pass. An unverified identity
/// is for the operator to fix, so such emails wait in the queue. Of SES's reply
/// only the code is kept: its message contains the address.
fn classify(error: SdkError<SendEmailError>) -> SendMailError {
    let unverified = error
        .message()
        .is_some_and(|text| text.contains("is not verified"));
    match (error.code().map(str::to_owned), error) {
        (Some(code), _) if is_final(&code) && !unverified => SendMailError::Rejected { code },
        (Some(code), _) => SendMailError::Failed(code.into()),
        (None, SdkError::ServiceError(context)) => {
            let status = context.raw().status().as_u16();
            SendMailError::Failed(format!("status {status}").into())
        }
        (None, error) => SendMailError::Failed(error.into()),
    }
}

fn is_final(code: &str) -> bool {
    matches!(code, "MessageRejected" | "InvalidParameterValue")
}

/// A tag value may contain only letters, digits, `_` and `-`.
fn tag_value(id: &str) -> String {
    id.chars()
        .take(TAG_LENGTH_MAX)
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect()
}
