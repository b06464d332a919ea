//! A call of AWS, as it arrives.

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A service that functions call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// Lambda's Invoke.
    Lambda,
    /// Secrets Manager.
    Secrets,
    /// SNS.
    Sns,
    /// SES.
    Ses,
    /// SQS.
    Sqs,
}

/// A call: which service, what it is asked to do, and with what.
#[derive(Debug)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The operation; for Lambda, the name of the function.
    pub operation: String,
    /// JSON, or a form.
    pub body: String,
}

impl Call {
    /// Reads a request of the SDK; `None` for a service that is not simulated.
    pub fn read(request: &HttpRequest) -> Option<Self> {
        let body = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(body).into_owned();
        if let Some(target) = request.headers().get("x-amz-target") {
            let (api, operation) = target.split_once('.')?;
            let service = match api {
                "DynamoDB_20120810" => Service::DynamoDb,
                "secretsmanager" => Service::Secrets,
                "AmazonSQS" => Service::Sqs,
                _ => return None,
            };
            let operation = operation.to_owned();
            return Some(Self {
                service,
                operation,
                body,
            });
        }
        if let Some((_, rest)) = request.uri().split_once("/2015-03-31/functions/") {
            let (name, _) = rest.split_once("/invocations")?;
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            return Some(Self {
                service: Service::Lambda,
                operation: name,
                body,
            });
        }
        let operation = form(&body, "Action")?.into_owned();
        let service = match operation.as_str() {
            "Publish" | "PublishBatch" => Service::Sns,
            "SendEmail" | "SendRawEmail" => Service::Ses,
            _ => return None,
        };
        Some(Self {
            service,
            operation,
            body,
        })
    }

    /// A field of a form.
    pub fn form(&self, name: &str) -> Option<Cow<'_, str>> {
        form(&self.body, name)
    }

    /// The partitions that it writes to or reads from, for the story.
    pub fn partitions(&self) -> String {
        if self.service != Service::DynamoDb {
            return String::new();
        }
        let body = self.json();
        let actions = body["TransactItems"].as_array().into_iter().flatten();
        let actions = actions.filter_map(|action| action.as_object()?.values().next());
        let all = actions.chain([&body]);
        let names = all.filter_map(|one| {
            let pk = one["Item"]["pk"]["S"].as_str();
            pk.or_else(|| one["Key"]["pk"]["S"].as_str())
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// The body as JSON; null for a form.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

fn form<'b>(body: &'b str, name: &str) -> Option<Cow<'b, str>> {
    form_urlencoded::parse(body.as_bytes())
        .find(|(field, _)| field == name)
        .map(|(_, value)| value)
}
