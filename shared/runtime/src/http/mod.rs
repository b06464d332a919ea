//! The shell of HTTP functions: API Gateway's JSON in, axum's handlers, and
//! the conventions of every reply (see `docs/api.md`).

mod access;
mod endpoint;
mod error;
mod extract;
mod reply;
mod request;
mod shell;

pub use access::{Access, Caller, Role, SignedIn};
pub use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
pub use endpoint::Endpoint;
pub use error::ApiError;
pub use extract::{
    FromQuery, Header, IDEMPOTENCY_KEY_LENGTH_MAX, Id, IdempotencyKey, Idempotent, Json, PageQuery,
    Query,
};
pub use http::{Method, StatusCode};
pub use reply::{Reply, StoredReply};
pub use request::{CorrelationId, RequestCause, RequestInfo, SourceIp, add_reply_header};
pub use shell::BODY_BYTES_MAX;
