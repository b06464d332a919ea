//! Replies of AWS services, in the formats that the SDK reads.

use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::StatusCode};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// A reply before it is sent.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    body: String,
    header: Option<(&'static str, &'static str)>,
}

impl Reply {
    /// A success.
    pub fn ok(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            header: None,
        }
    }

    /// Any status.
    pub fn with_status(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::ok(body)
        }
    }

    /// An error in JSON.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({"__type": kind, "message": message, "Message": message});
        Self::with_status(status, body.to_string())
    }

    /// An error in the XML of SNS and SES.
    pub fn query_error(status: u16, kind: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Receiver</Type><Code>{kind}</Code><Message>simulated</Message></Error>\
             <RequestId>simulated</RequestId></ErrorResponse>"
        );
        Self::with_status(status, body)
    }

    /// Its body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Whether it is one of a success.
    pub fn is_success(&self) -> bool {
        self.status < 300
    }

    /// The same with the header that marks an error of an invoked function.
    #[must_use]
    pub fn unhandled(mut self) -> Self {
        self.header = Some(("x-amz-function-error", "Unhandled"));
        self
    }

    /// The same with the header that names an error of Lambda.
    #[must_use]
    pub fn of_type(mut self, kind: &'static str) -> Self {
        self.header = Some(("x-amzn-errortype", kind));
        self
    }

    /// The response that the SDK gets.
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::try_from(self.status).expect("a status of HTTP");
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        response
            .headers_mut()
            .insert("x-amzn-requestid", "simulated");
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
