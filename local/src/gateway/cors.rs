//! `CorsConfiguration` of an HTTP API.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::template::Cors;

/// Headers that only the gateway sets if CORS is configured.
const CORS_HEADERS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// What matters of a request for CORS.
#[derive(Debug, Clone)]
pub(crate) struct CorsRequest {
    origin: Option<String>,
    preflight: bool,
}

impl CorsRequest {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let origin = headers
            .get(header::ORIGIN)
            .and_then(|origin| origin.to_str().ok());
        let preflight = method == Method::OPTIONS
            && origin.is_some()
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Self {
            origin: origin.map(str::to_owned),
            preflight,
        }
    }

    pub(crate) fn is_preflight(&self) -> bool {
        self.preflight
    }
}

/// Sets the configured headers on a reply. Like API Gateway, it discards those
/// that the function set.
pub(crate) fn apply(cors: &Cors, request: &CorsRequest, headers: &mut HeaderMap) {
    for name in &CORS_HEADERS {
        headers.remove(name);
    }
    let Some(origin) = &request.origin else {
        return;
    };
    let Some(allowed) = allowed_origin(cors, origin) else {
        return;
    };
    let mut set = |name: HeaderName, value: String| {
        // A value that is not valid in a header is left out.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.allow_credentials {
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned());
    }
    if request.preflight {
        if !cors.allow_methods.is_empty() {
            set(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                cors.allow_methods.join(","),
            );
        }
        if !cors.allow_headers.is_empty() {
            set(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                cors.allow_headers.join(","),
            );
        }
        if let Some(seconds) = cors.max_age_seconds {
            set(header::ACCESS_CONTROL_MAX_AGE, seconds.to_string());
        }
    }
    if !request.preflight && !cors.expose_headers.is_empty() {
        set(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            cors.expose_headers.join(","),
        );
    }
}

/// The value of `Access-Control-Allow-Origin` for this origin, if it is allowed.
fn allowed_origin(cors: &Cors, origin: &str) -> Option<String> {
    let allowed = cors
        .allow_origins
        .iter()
        .find(|allowed| match allowed.as_str() {
            "*" => true,
            "https://*" => origin.starts_with("https://"),
            "http://*" => origin.starts_with("http://"),
            exact => exact == origin,
        })?;
    Some(if allowed == "*" {
        "*".to_owned()
    } else {
        origin.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        Cors {
            allow_origins: vec!["https://shop.example".into()],
            allow_methods: vec!["GET".into(), "POST".into()],
            allow_headers: vec!["authorization".into()],
            expose_headers: vec!["etag".into()],
            allow_credentials: true,
            max_age_seconds: Some(600),
        }
    }

    fn reply(cors: &Cors, method: Method, request: &[(&'static str, &'static str)]) -> Vec<String> {
        let request: HeaderMap = request
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("https://set-by-the-function.example"),
        );
        apply(cors, &CorsRequest::of(&method, &request), &mut headers);
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_preflight_from_an_allowed_origin_gets_all_headers() {
        let preflight = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", "POST"),
        ];
        assert_eq!(
            reply(&cors(), Method::OPTIONS, &preflight),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: authorization",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-origin: https://shop.example",
                "access-control-max-age: 600",
            ]
        );
    }

    #[test]
    fn a_request_from_an_allowed_origin_gets_the_headers_of_a_request() {
        assert_eq!(
            reply(&cors(), Method::GET, &[("origin", "https://shop.example")]),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-origin: https://shop.example",
                "access-control-expose-headers: etag",
            ]
        );
    }

    #[test]
    fn other_origins_and_none_get_no_headers_not_even_the_functions() {
        assert!(reply(&cors(), Method::GET, &[("origin", "https://evil.example")]).is_empty());
        assert!(reply(&cors(), Method::GET, &[]).is_empty());
    }

    #[test]
    fn wildcards_match_any_origin_or_any_with_that_scheme() {
        let any = Cors {
            allow_origins: vec!["*".into()],
            ..Cors::default()
        };
        assert_eq!(
            reply(&any, Method::GET, &[("origin", "http://a.example")]),
            ["access-control-allow-origin: *"]
        );
        let tls = Cors {
            allow_origins: vec!["https://*".into()],
            ..Cors::default()
        };
        assert_eq!(
            reply(&tls, Method::GET, &[("origin", "https://a.example")]),
            ["access-control-allow-origin: https://a.example"]
        );
        assert!(reply(&tls, Method::GET, &[("origin", "http://a.example")]).is_empty());
    }
}
