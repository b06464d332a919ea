//! Finds out who calls, for every endpoint of the API that is not public.
//!
//! API Gateway answers a refused authorizer with a bare 403 and a body of its
//! own. So this one never refuses: it says who calls, or why that is not
//! known, and the function's declared access decides. When the store fails,
//! nobody gets in: `unavailable` becomes 503 there.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use dynamo::StoreError;
use runtime::{Environment, Error, Function, Grant, Handler, LambdaEvent, Trigger, grant, log};
use serde::Deserialize;
use serde_json::{json, value::RawValue, value::to_raw_value};

use crate::{
    app::Authorizer,
    domain::{Identity, Reason, admit},
    tokens::Rejected,
};

const NAME: &str = "authorize";
const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "InternalKeySecret"),
];

/// The function `authorize`.
pub fn function() -> Function {
    Function::new(NAME, Trigger::Authorizer, GRANTS, start)
}

async fn start(environment: Environment) -> Result<Handler, Error> {
    Ok(handler(Arc::new(Authorizer::start(environment).await?)))
}

/// What answers API Gateway.
pub fn handler(app: Arc<Authorizer>) -> Handler {
    Arc::new(move |event| {
        let app = app.clone();
        Box::pin(async move { answer(&app, event).await })
    })
}

/// The part of API Gateway's question (payload 2.0) that matters here. Names
/// of headers are in lower case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: QuestionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuestionContext {
    #[serde(default)]
    request_id: String,
}

async fn answer(
    app: &Authorizer,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let started = Instant::now();
    let question: Question = serde_json::from_str(event.payload.get())?;
    let identity = identify(app, &question.headers).await;
    let duration_ms = runtime::log::millis(started);
    let request_id = question.request_context.request_id;
    let correlation_id = correlation_id(&question.headers);
    match identity {
        Ok(identity) => {
            let outcome = identity.outcome();
            tracing::info!(
                function = NAME,
                outcome,
                request_id,
                correlation_id,
                duration_ms,
                "authorize"
            );
            let context = identity.context();
            let reply = json!({ "isAuthorized": true, "context": context });
            Ok(to_raw_value(&reply)?)
        }
        Err(error) => {
            let text = log::error_chain(&error);
            tracing::error!(
                function = NAME,
                request_id,
                correlation_id,
                duration_ms,
                error = text,
                "authorize failed"
            );
            // Still nobody is let in. A refusal of ours would become a bare
            // 500; this way the function's shell answers 503, to come again.
            let context = json!({ "kind": "none", "reason": "unavailable" });
            let reply = json!({ "isAuthorized": true, "context": context });
            Ok(to_raw_value(&reply)?)
        }
    }
}

/// Who has these credentials. Those that were sent and are wrong are never
/// passed over for others that are right.
async fn identify(
    app: &Authorizer,
    headers: &BTreeMap<String, String>,
) -> Result<Identity, StoreError> {
    if let Some(key) = headers.get("x-internal-key") {
        return Ok(match app.internal_key.is(key) {
            true => Identity::Internal,
            false => Identity::Nobody(Some(Reason::InternalKeyInvalid)),
        });
    }
    let Some(token) = headers.get("authorization").and_then(|value| bearer(value)) else {
        return Ok(Identity::Nobody(None));
    };
    let now = app.clock.now();
    let claims = match app.tokens.verify(token, now).await {
        Ok(claims) => claims,
        Err(Rejected::Expired) => return Ok(Identity::Nobody(Some(Reason::TokenExpired))),
        Err(Rejected::Invalid) => return Ok(Identity::Nobody(Some(Reason::TokenInvalid))),
    };
    let (session, user) = app.store.session_and_user(claims.sid, claims.sub).await?;
    let admitted = admit(session.as_ref(), user.as_ref(), app.admin_mfa, now);
    Ok(match admitted {
        Ok(person) => Identity::User(person),
        Err(reason) => Identity::Nobody(Some(reason)),
    })
}

/// The token of `Bearer <token>` (RFC 6750, 2.1); the scheme's case does not
/// matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The id of the chain, as the shell of HTTP functions would take it.
fn correlation_id(headers: &BTreeMap<String, String>) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    let text = headers.get("x-correlation-id")?;
    ((1..=128).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_bears_a_token() {
        assert_eq!(bearer("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer("bearer  a.b.c "), Some("a.b.c"));
        assert_eq!(bearer("Bearer"), Some(""));
        for other in ["Basic YTpi", "a.b.c", "", "Bearers a"] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
