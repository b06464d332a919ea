//! What handlers take from a request, parsed and validated.

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use kernel::{
    IdempotencyKey, Limit,
    input::{FieldErrors, Fields, FromInput, Value},
};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::ApiError;

/// A JSON body, parsed into a type.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: FromInput, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let body = body(request, state).await?;
        read_json(&body).map(Self)
    }
}

/// A body that may be missing: `Option<Json<T>>`. Without one, no content
/// type is asked for.
impl<T: FromInput, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let typed = require_json(request.headers());
        let body = body(request, state).await?;
        if body.is_empty() {
            return Ok(None);
        }
        typed?;
        read_json(&body).map(Self).map(Some)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|text| {
            text.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        });
    match essence.as_deref() {
        Some("application/json") => Ok(()),
        Some(other) if other.starts_with("application/") && other.ends_with("+json") => Ok(()),
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be application/json",
        )),
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            "the body cannot be read",
        )
        .with_source(error)
    })
}

fn read_json<T: FromInput>(body: &[u8]) -> Result<T, ApiError> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
        let detail = format!(
            "the body is not JSON: line {}, column {}",
            error.line(),
            error.column()
        );
        ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })?;
    Ok(T::from_input(Value::Json(raw))?)
}

/// The query's parameters, parsed into a type.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// A type that can be parsed from a query's parameters.
pub trait FromQuery: Sized {
    /// Parses it.
    ///
    /// # Errors
    /// Everything that is wrong, by parameter.
    fn from_query(fields: Fields<'_>) -> Result<Self, FieldErrors>;
}

impl<T: FromQuery, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query =
            axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let axum::extract::Query(parameters) = query.map_err(|_| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "malformed_query",
                "the query cannot be read",
            )
        })?;
        Ok(Self(T::from_query(Fields::of_query(&parameters))?))
    }
}

/// Which page of a list: the query of a list without filters.
#[derive(Debug)]
pub struct PageQuery {
    /// How many items it may have.
    pub limit: Limit,
    /// Where it begins: a sealed cursor, not opened yet.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Parses these two parameters among others of a query; the caller still
    /// has to `finish` the fields.
    pub fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            limit: fields.optional("limit").unwrap_or_default(),
            cursor: fields.optional_with("cursor", |value| Ok(value.text()?.into_owned())),
        }
    }
}

impl FromQuery for PageQuery {
    fn from_query(mut fields: Fields<'_>) -> Result<Self, FieldErrors> {
        let page = Self::read(&mut fields);
        fields.finish(|| Some(page))
    }
}

/// The id in the path. Text that is no id names nothing, and so is 404.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<T: std::str::FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        parameters
            .ok()
            .as_ref()
            .and_then(|parameters| parameters.iter().next())
            .and_then(|(_, text)| text.parse().ok())
            .map(Self)
            .ok_or_else(|| ApiError::not_found("resource"))
    }
}

/// The idempotency key of a request, if it has one (`Idempotency-Key`).
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(IdempotencyKey::parse);
    let key = key.ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "the Idempotency-Key header must have 1 to 255 visible ASCII characters",
        )
    });
    key.map(Some)
}

fn key_required() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_required",
        "this route requires an Idempotency-Key header",
    )
}

/// A JSON body with an idempotency key, and the fingerprint that shows when
/// the same key comes with another body.
#[derive(Debug)]
pub struct Idempotent<T> {
    /// The client's key.
    pub key: IdempotencyKey,
    /// SHA-256 of the body, base64url.
    pub fingerprint: String,
    /// The body.
    pub input: T,
}

impl<T: FromInput, S: Send + Sync> FromRequest<S> for Idempotent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let key = idempotency_key(request.headers())?.ok_or_else(key_required)?;
        let body = body(request, state).await?;
        let input = read_json(&body)?;
        Ok(Self {
            key,
            fingerprint: fingerprint(&body),
            input,
        })
    }
}

/// The same where only some bodies require a key: the handler decides.
#[derive(Debug)]
pub struct MaybeIdempotent<T> {
    /// The client's key, if it sent one.
    pub key: Option<IdempotencyKey>,
    /// SHA-256 of the body, base64url.
    pub fingerprint: String,
    /// The body.
    pub input: T,
}

impl<T> MaybeIdempotent<T> {
    /// Refuses a request without a key.
    ///
    /// # Errors
    /// The reply to it.
    pub fn require_key(&self) -> Result<(), ApiError> {
        self.key.as_ref().map(drop).ok_or_else(key_required)
    }
}

impl<T: FromInput, S: Send + Sync> FromRequest<S> for MaybeIdempotent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let key = idempotency_key(request.headers())?;
        let body = body(request, state).await?;
        Ok(Self {
            key,
            input: read_json(&body)?,
            fingerprint: fingerprint(&body),
        })
    }
}

fn fingerprint(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical(body)))
}

/// The body with its members sorted and without white space, so that two
/// spellings of one intention have one fingerprint.
fn canonical(body: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_vec(&value))
        .unwrap_or_else(|_| body.to_vec())
}
