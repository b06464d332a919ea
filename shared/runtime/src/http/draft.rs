//! Bodies that are not written yet. A handler's reply does not know the id and
//! the path of its request; the shell does, and writes the body.

use std::borrow::Cow;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::input::FieldError;
use serde::Serialize;
use serde_json::value::RawValue;

use super::RequestInfo;

/// A body without its request's id and path.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Reply {
        message: &'static str,
        data: Option<Box<RawValue>>,
        pagination: Option<Pagination>,
    },
    /// RFC 9457.
    Problem {
        code: &'static str,
        detail: Cow<'static, str>,
        errors: Vec<FieldError>,
        service: Option<&'static str>,
    },
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    pub(super) limit: u32,
    pub(super) next_cursor: Option<String>,
    pub(super) has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
}

#[derive(Serialize)]
struct ReplyBody<'a> {
    success: bool,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    meta: Meta<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<&'a Pagination>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    request_id: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
}

impl Draft {
    /// A response whose body [`finish`] writes.
    pub(super) fn into_response(self, status: StatusCode, headers: HeaderMap) -> Response {
        let content_type = match self {
            Self::Reply { .. } => "application/json",
            Self::Problem { .. } => "application/problem+json",
        };
        let mut response = status.into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().extend(headers);
        response.extensions_mut().insert(self);
        response
    }

    /// The body of the reply to `request`.
    pub(super) fn body(&self, status: StatusCode, request: &RequestInfo) -> Vec<u8> {
        let json = match self {
            Self::Reply {
                message,
                data,
                pagination,
            } => serde_json::to_vec(&ReplyBody {
                success: status.is_success(),
                message,
                data: data.as_deref(),
                meta: Meta {
                    request_id: request.request_id(),
                    pagination: pagination.as_ref(),
                },
            }),
            Self::Problem {
                code,
                detail,
                errors,
                service,
            } => serde_json::to_vec(&ProblemBody {
                problem_type: format!("/problems/{code}"),
                title: status.canonical_reason().unwrap_or("Error"),
                status: status.as_u16(),
                detail,
                instance: request.path(),
                code,
                request_id: request.request_id(),
                success: false,
                errors,
                service: *service,
            }),
        };
        // Strings, numbers and JSON that was serialised before always serialise.
        json.unwrap_or_default()
    }
}

/// Writes the body of a response that was drafted; leaves any other alone.
pub(super) fn finish(request: &RequestInfo, response: &mut Response) {
    let draft = response.extensions_mut().remove::<Draft>();
    if let Some(draft) = draft {
        let body = draft.body(response.status(), request);
        *response.body_mut() = Body::from(body);
    }
}
