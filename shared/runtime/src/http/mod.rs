//! The shell of HTTP functions: API Gateway's JSON in, axum's handlers, and
//! the conventions of every reply (see `docs/api.md`).

mod access;
mod draft;
mod edge;
mod endpoint;
mod error;
mod extract;
mod reply;
mod request;
mod shell;

pub use access::{Access, Caller, SignedIn};
pub use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
pub use edge::Edge;
pub use endpoint::Endpoint;
pub use error::ApiError;
pub use extract::{FromQuery, Id, Idempotent, Json, MaybeIdempotent, PageQuery, Query};
pub use http::{HeaderMap, Method, StatusCode};
pub use reply::{Reply, StoredReply};
pub use request::{RequestCause, RequestInfo, SourceIp, client_ids};
pub use shell::BODY_BYTES_MAX;
