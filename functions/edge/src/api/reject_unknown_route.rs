//! `$default`: requests that match no route of the API.

use http::{Uri, header::ACCESS_CONTROL_REQUEST_METHOD};
use runtime::{
    Function,
    http::{Access, ApiError, Endpoint, HeaderMap, IntoResponse, Method, Response, StatusCode},
};

/// A longer path is truncated in the reply; no route of the API has half of it.
const PATH_CHARACTERS_MAX: usize = 200;
/// A longer method is truncated in the reply; `PROPFIND` fits twice.
const METHOD_CHARACTERS_MAX: usize = 16;

pub fn function() -> Function {
    Endpoint::new("reject-unknown-route", Access::Public, &[])
        .otherwise(reject_unknown_route)
        .start(|_| async { Ok(()) })
}

/// Replies 404 `route_not_found` with the requested method and path. CORS
/// preflights (Fetch standard, 4.8) arrive here too, because `$default` matches
/// every `OPTIONS`: the reply is 204, to which API Gateway adds the headers of the
/// template's CORS configuration.
async fn reject_unknown_route(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let method = printable(method.as_str(), METHOD_CHARACTERS_MAX);
    let path = printable(uri.path(), PATH_CHARACTERS_MAX);
    ApiError::new(
        StatusCode::NOT_FOUND,
        "route_not_found",
        format!("there is no route {method} {path}"),
    )
    .into_response()
}

/// A client's text as it may be shown: truncated, and without characters that a
/// terminal or a web page would interpret.
fn printable(text: &str, characters_max: usize) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>&\"'`\\".contains(c);
    let mut shown: String = text
        .chars()
        .take(characters_max)
        .map(|c| if is_plain(c) { c } else { '?' })
        .collect();
    if text.chars().nth(characters_max).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_truncated_and_plain() {
        assert_eq!(printable("/api/nothing", 200), "/api/nothing");
        assert_eq!(
            printable("/<script>\u{1b}[2J&'\"é", 200),
            "/?script??[2J????"
        );
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("abcd", 3), "abc…");
    }
}
