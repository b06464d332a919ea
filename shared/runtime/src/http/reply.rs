//! Successful replies, in their envelope.

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use kernel::Page;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use super::{
    ApiError, RequestInfo,
    draft::{Draft, Pagination},
};

/// Tells a client that it has been given this reply before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Bytes of the hash in an `ETag`: 96 bits do not collide by chance.
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

    /// 200 without data.
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

    /// How many items all pages have together, where that is known.
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

    /// Lets any cache keep the reply, and revalidate it with `If-None-Match`
    /// (RFC 9110). The tag is a hash of the data, so it changes with it.
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

    /// Headers of the reply.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The reply in the form in which it is stored, to be given again for the
    /// same idempotency key. `request` is the one that it answers.
    ///
    /// # Errors
    /// When the data does not serialise, which is a defect.
    pub fn into_stored(self, request: &RequestInfo) -> Result<StoredReply, ApiError> {
        let location = self
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let status = self.status;
        let body = self.into_draft()?.body(status, request);
        Ok(StoredReply {
            status: status.as_u16(),
            location,
            body: String::from_utf8(body).map_err(ApiError::internal)?,
            replayed: false,
        })
    }

    fn into_draft(self) -> Result<Draft, ApiError> {
        Ok(Draft::Reply {
            message: self.message,
            data: self.data.map_err(ApiError::internal)?,
            pagination: self.pagination,
        })
    }
}

impl IntoResponse for Reply {
    fn into_response(mut self) -> Response {
        let (status, headers) = (self.status, std::mem::take(&mut self.headers));
        match self.into_draft() {
            Ok(draft) => draft.into_response(status, headers),
            Err(error) => error.into_response(),
        }
    }
}

/// A reply in the form in which it is stored with its idempotency key.
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
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (status, content_type, self.body).into_response();
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
