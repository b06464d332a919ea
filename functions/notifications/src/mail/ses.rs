//! Amazon SES, the carrier of mails.

use std::time::Duration;

use aws_sdk_ses::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::{SendEmailError, builders::SendEmailFluentBuilder},
    types::{Body, Content, Destination, Message, MessageTag},
};
use runtime::{BoxFuture, metrics::Dependency};

use super::{Mail, Mailer, SendMailError};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// For one call. Longer than for other calls: one that is given up may have
/// sent the mail, which then is sent again. Functions have 10 s.
const SEND_TIMEOUT: Duration = Duration::from_secs(4);
/// Tries while SES says that mails come too fast; a sandbox takes one a second.
const ATTEMPTS_MAX: u32 = 4;
/// The first wait then, in milliseconds; each next one is twice as long.
const BACK_OFF_MS: u64 = 250;
/// The longest value of a tag (a limit of SES).
const TAG_LENGTH_MAX: usize = 255;

/// Sends through SES.
#[derive(Clone, Debug)]
pub struct SesMailer {
    client: Client,
    from: String,
}

impl SesMailer {
    /// A mailer that sends from `from`, an identity that SES has verified.
    ///
    /// The SDK's own repetition is switched off. SES has no idempotency token:
    /// a mail whose reply is lost would be sent twice within one try, without
    /// anybody's notice.
    pub fn new(client: &Client, from: &str) -> Self {
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
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .message(message);
        if mail.correlation_id.is_empty() {
            return Ok(request);
        }
        // Shows in SES's own delivery events; `SendEmail` sets no headers.
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
                        let most = BACK_OFF_MS << attempt;
                        let wait = Duration::from_millis(fastrand::u64(most / 2..=most));
                        tokio::time::sleep(wait).await;
                        attempt += 1;
                    }
                    Err(error) => {
                        let error = judge(error);
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

/// Whether SES refused only because of the pace: then nothing was sent.
fn is_throttled(error: &SdkError<SendEmailError>) -> bool {
    matches!(error.code(), Some("Throttling" | "ThrottlingException"))
}

/// Tells what will never be sent from what may be sent later. That an identity
/// is not verified is the operator's to mend, so such mails wait. Of what SES
/// says only the code is kept: its sentences name the address.
fn judge(error: SdkError<SendEmailError>) -> SendMailError {
    let unverified = error
        .message()
        .is_some_and(|text| text.contains("is not verified"));
    match (error.code().map(str::to_owned), error) {
        (Some(code), _) if is_final(&code) && !unverified => SendMailError::Refused { code },
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

/// An id as a tag's value, which may have letters, digits, `_` and `-` only.
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
