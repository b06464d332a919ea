//! What an HTTP API does with `CorsConfiguration`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::template::Cors;

/// Headers that the gateway alone decides on once CORS is configured.
const OWNED: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// A request as far as CORS looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    origin: Option<String>,
    preflight: bool,
}

impl Asked {
    pub(crate) fn by(method: &Method, headers: &HeaderMap) -> Self {
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

    /// Whether a browser asks what it may do.
    pub(crate) fn is_preflight(&self) -> bool {
        self.preflight
    }
}

/// Puts the headers of the configuration on a reply; what the function said of
/// CORS is dropped, as API Gateway does.
pub(crate) fn apply(cors: &Cors, asked: &Asked, headers: &mut HeaderMap) {
    for name in &OWNED {
        headers.remove(name);
    }
    let Some(origin) = &asked.origin else { return };
    let Some(allowed) = allowed_origin(cors, origin) else {
        return;
    };
    let mut set = |name: HeaderName, value: String| {
        // What cannot be a header's value is left out rather than sent broken.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.allow_credentials {
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned());
    }
    if asked.preflight {
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
    if !asked.preflight && !cors.expose_headers.is_empty() {
        set(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            cors.expose_headers.join(","),
        );
    }
}

/// What `Access-Control-Allow-Origin` says to this origin, if anything.
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
            HeaderValue::from_static("https://the-function.says"),
        );
        apply(cors, &Asked::by(&method, &request), &mut headers);
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_preflight_from_an_allowed_origin_is_told_all() {
        let asked = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", "POST"),
        ];
        assert_eq!(
            reply(&cors(), Method::OPTIONS, &asked),
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
    fn a_request_is_told_what_it_needs() {
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
    fn other_origins_and_none_are_told_nothing_whatever_the_function_says() {
        assert!(reply(&cors(), Method::GET, &[("origin", "https://evil.example")]).is_empty());
        assert!(reply(&cors(), Method::GET, &[]).is_empty());
    }

    #[test]
    fn wildcards() {
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
