//! `$default`: whatever no route of the API answers.

use http::{Uri, header::ACCESS_CONTROL_REQUEST_METHOD};
use runtime::{
    Function,
    http::{Access, ApiError, Endpoint, Header, IntoResponse, Method, Response, StatusCode},
};

/// The longest path that is repeated to the client; no route of the API has
/// half of it.
const PATH_CHARACTERS_MAX: usize = 200;
/// The longest method that is repeated to the client; `PROPFIND` fits twice.
const METHOD_CHARACTERS_MAX: usize = 16;

/// The function.
pub fn function() -> Function {
    Endpoint::new("reject-unknown-route", Access::Public, &[])
        .otherwise(reject_unknown_route)
        .start(|_| async { Ok(()) })
}

/// Answers 404 `route_not_found`, with the method and the path that were asked
/// for. A browser's preflight (Fetch standard, 4.8) comes here too, because
/// `$default` takes every `OPTIONS`: it is answered 204, and API Gateway adds
/// what the template's CORS configuration allows.
pub async fn reject_unknown_route(method: Method, uri: Uri, Header(headers): Header) -> Response {
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

/// What a client sent, as it may be repeated: bounded, and without what a
/// terminal or a page would take for more than text.
fn printable(text: &str, characters_max: usize) -> String {
    let harmless = |c: char| c.is_ascii_graphic() && !"<>&\"'`\\".contains(c);
    let mut shown: String = text
        .chars()
        .take(characters_max)
        .map(|c| if harmless(c) { c } else { '?' })
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
    fn what_is_repeated_is_bounded_and_plain() {
        assert_eq!(printable("/api/nothing", 200), "/api/nothing");
        assert_eq!(
            printable("/<script>\u{1b}[2J&'\"é", 200),
            "/?script??[2J????"
        );
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("abcd", 3), "abc…");
    }
}
