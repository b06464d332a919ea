//! Determines who calls, for every endpoint of the API that is not public.
//!
//! API Gateway turns a refusal of the authorizer into a bare 403. So this function never
//! refuses: it reports who calls, or why that is unknown, and the declared access of the
//! called function decides. When the store fails, it reports `unavailable`, which becomes
//! 503 there.

use std::{collections::BTreeMap, sync::Arc};

use dynamo::StoreError;
use runtime::{
    Environment, Error, Function, Grant, Handler, LambdaEvent, Stopwatch, Trigger, grant,
    http::{Edge, client_ids},
    log,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue, value::to_raw_value};

use super::support::sessions::bearer_token;
use crate::{
    app::App,
    credentials::{
        internal_key::InternalKey,
        tokens::{KeyRing, TokenError},
    },
    domain::{Identity, Rejection, admit},
};

const NAME: &str = "authorize";
const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "InternalKeySecret"),
];

type Authorizer = App<(KeyRing, InternalKey)>;

pub fn function() -> Function {
    let answer = |app: Arc<Authorizer>, environment: &Environment| -> Result<Handler, Error> {
        let edge = Edge::from_environment(environment)?;
        Ok(Arc::new(move |event| {
            let (app, edge) = (app.clone(), edge.clone());
            Box::pin(async move { authorize(&app, &edge, event).await })
        }))
    };
    Function::build(NAME, Trigger::Authorizer, GRANTS, Authorizer::start, answer)
}

/// The relevant part of API Gateway's event (payload format 2.0). The names of headers
/// are in lower case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizerEvent {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    #[serde(default)]
    request_id: String,
}

async fn authorize(
    app: &Authorizer,
    edge: &Edge,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let stopwatch = Stopwatch::start();
    let event: AuthorizerEvent = serde_json::from_str(event.payload.get())?;
    let identity = if edge.is_passed(|name| event.headers.get(name).map(String::as_str)) {
        identify(app, &event.headers).await
    } else {
        // The function behind it replies 403; credentials are not even looked at.
        Ok(Identity::Anonymous(Some(Rejection::EdgeRequired)))
    };
    let duration_ms = stopwatch.elapsed_ms();
    let request_id = event.request_context.request_id;
    let client = client_ids(|name| event.headers.get(name).map(String::as_str));
    let (client_request_id, client_correlation_id) = (client.request_id, client.correlation_id);
    let context = match identity {
        Ok(identity) => {
            let outcome = identity.outcome();
            tracing::info!(
                function = NAME,
                outcome,
                request_id,
                client_request_id,
                client_correlation_id,
                duration_ms,
                "authorize"
            );
            identity.context().into()
        }
        Err(error) => {
            let error = log::error_chain(&error);
            tracing::error!(
                function = NAME,
                request_id,
                client_request_id,
                client_correlation_id,
                duration_ms,
                error,
                "authorize failed"
            );
            json!({ "kind": "none", "reason": "unavailable" })
        }
    };
    let reply = json!({ "isAuthorized": true, "context": context });
    Ok(to_raw_value(&reply)?)
}

/// Who has these credentials. Wrong credentials are rejected even if others that were
/// sent are right.
async fn identify(
    app: &Authorizer,
    headers: &BTreeMap<String, String>,
) -> Result<Identity, StoreError> {
    let (tokens, internal_key) = &app.credentials;
    if let Some(key) = headers.get("x-internal-key") {
        return Ok(match internal_key.matches(key) {
            true => Identity::Internal,
            false => Identity::Anonymous(Some(Rejection::InternalKeyInvalid)),
        });
    }
    let Some(token) = headers
        .get("authorization")
        .and_then(|value| bearer_token(value))
    else {
        return Ok(Identity::Anonymous(None));
    };
    let now = app.host.now();
    let claims = match tokens.verify(token, now).await {
        Ok(claims) => claims,
        Err(TokenError::Expired) => return Ok(Identity::Anonymous(Some(Rejection::TokenExpired))),
        Err(TokenError::Invalid) => return Ok(Identity::Anonymous(Some(Rejection::TokenInvalid))),
    };
    let (session, user) = app.store.session_and_user(claims.sid, claims.sub).await?;
    let admin_mfa = app.settings.admin_mfa;
    Ok(
        match admit(session.as_ref(), user.as_ref(), admin_mfa, now) {
            Ok(principal) => Identity::User(principal),
            Err(rejection) => Identity::Anonymous(Some(rejection)),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_has_a_token() {
        assert_eq!(bearer_token("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer_token("bearer  a.b.c "), Some("a.b.c"));
        assert_eq!(bearer_token("Bearer"), Some(""));
        for other in ["Basic YTpi", "a.b.c", "", "Bearers a"] {
            assert_eq!(bearer_token(other), None, "{other}");
        }
    }
}
