//! Successful replies, in their envelope.

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use kernel::Page;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use super::{ApiError, RequestInfo};

/// Tells a client that this reply is one it has had before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How much of the hash an `ETag` bears: 96 bits do not collide by chance.
const ETAG_BYTES: usize = 12;

/// A successful reply: `{"success":true,"message":…,"data":…,"meta":…}`.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    message: &'static str,
    data: Result<Option<Box<RawValue>>, serde_json::Error>,
    pagination: Option<Pagination>,
    headers: HeaderMap,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    limit: u32,
    next_cursor: Option<String>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
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

impl Reply {
    fn new(
        status: StatusCode,
        message: &'static str,
        data: Result<Option<Box<RawValue>>, serde_json::Error>,
    ) -> Self {
        Self {
            status,
            message,
            data,
            pagination: None,
            headers: HeaderMap::new(),
        }
    }

    /// 200 with a resource.
    pub fn ok(message: &'static str, data: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, message, to_raw_value(data).map(Some))
    }

    /// 200 with nothing to give.
    pub fn done(message: &'static str) -> Self {
        Self::new(StatusCode::OK, message, Ok(None))
    }

    /// 201 with the resource and where it is.
    pub fn created(message: &'static str, location: &str, data: &impl Serialize) -> Self {
        let reply = Self::new(StatusCode::CREATED, message, to_raw_value(data).map(Some));
        match HeaderValue::from_str(location) {
            Ok(location) => reply.with_header(header::LOCATION, location),
            Err(_) => reply,
        }
    }

    /// 200 with one page of a list.
    pub fn page<T: Serialize>(message: &'static str, page: &Page<T>) -> Self {
        let mut reply = Self::ok(message, &page.items);
        reply.pagination = Some(Pagination {
            limit: page.limit.get(),
            has_more: page.next_cursor.is_some(),
            next_cursor: page.next_cursor.clone(),
            total: None,
        });
        reply
    }

    /// How many there are on all pages together, where that is known.
    #[must_use]
    pub fn with_total(mut self, total: Option<u64>) -> Self {
        if let Some(pagination) = &mut self.pagination {
            pagination.total = total;
        }
        self
    }

    /// The same body with another status, for a reply whose data is worth
    /// having although it is no success (`/health` that finds a fault).
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A header of the reply.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Lets anybody keep the reply, and ask with `If-None-Match` whether it
    /// still holds (RFC 9110). The tag is of the data, so it moves with it.
    #[must_use]
    pub fn cacheable(mut self) -> Self {
        if let Ok(Some(data)) = &self.data {
            let next = self
                .pagination
                .as_ref()
                .and_then(|page| page.next_cursor.as_deref());
            let hash = Sha256::new()
                .chain_update(data.get())
                .chain_update(next.unwrap_or_default())
                .finalize();
            let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..ETAG_BYTES]));
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                self.headers.insert(header::ETAG, tag);
            }
        }
        self.headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, no-cache"),
        );
        self
    }

    /// The reply as it will be kept, to be given again for the same key.
    ///
    /// # Errors
    /// When the data does not serialise, which is a defect.
    pub fn store(self) -> Result<StoredReply, ApiError> {
        let location = self
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let status = self.status.as_u16();
        Ok(StoredReply {
            status,
            location,
            body: self.body()?,
            replayed: false,
        })
    }

    fn body(&self) -> Result<String, ApiError> {
        let data = match &self.data {
            Ok(data) => data.as_deref(),
            Err(error) => return Err(ApiError::internal(error.to_string())),
        };
        let request = RequestInfo::current();
        let meta = Meta {
            request_id: &request.request_id,
            pagination: self.pagination.as_ref(),
        };
        let body = Body {
            success: self.status.is_success(),
            message: self.message,
            data,
            meta,
        };
        serde_json::to_string(&body).map_err(ApiError::internal)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self.body() {
            Ok(body) => {
                let mut response = json(self.status, body);
                response.headers_mut().extend(self.headers);
                response
            }
            Err(error) => error.into_response(),
        }
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A reply in the form in which it is kept with its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReply {
    /// The status.
    pub status: u16,
    /// `Location`, when there is one.
    pub location: Option<String>,
    /// The whole body.
    pub body: String,
    /// Whether this is a repetition; never stored.
    #[serde(skip)]
    pub replayed: bool,
}

impl StoredReply {
    /// The same reply as a repetition.
    #[must_use]
    pub fn replayed(self) -> Self {
        Self {
            replayed: true,
            ..self
        }
    }
}

impl IntoResponse for StoredReply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = json(status, self.body);
        let headers = response.headers_mut();
        if let Some(location) = self
            .location
            .and_then(|text| HeaderValue::from_str(&text).ok())
        {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
