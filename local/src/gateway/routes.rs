//! The route that handles a request, in API Gateway's order of precedence.

use std::sync::Arc;

use crate::{functions::Running, template::Route};

/// A route and its functions.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) route: Route,
    pub(crate) function: Arc<Running>,
    /// The authorizer's function.
    pub(crate) authorizer: Option<Arc<Running>>,
}

/// A segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Exactly(String),
    Parameter(String),
    /// `{proxy+}`: the rest of the path, at least one segment.
    Greedy(String),
}

struct Entry<T> {
    /// `None` for any.
    method: Option<String>,
    parts: Vec<Part>,
    target: T,
}

/// The routes of an API.
pub(crate) struct Routes<T> {
    entries: Vec<Entry<T>>,
    default: Option<T>,
}

/// The path parameters of a request.
pub(crate) type Parameters = Vec<(String, String)>;

impl<T> Routes<T> {
    pub(crate) fn new(targets: impl IntoIterator<Item = (Route, T)>) -> Self {
        let mut routes = Self {
            entries: Vec::new(),
            default: None,
        };
        for (route, target) in targets {
            if route.path == "$default" {
                routes.default = Some(target);
                continue;
            }
            routes.entries.push(Entry {
                parts: parts(&route.path),
                method: route.method,
                target,
            });
        }
        routes
    }

    /// The route for a request, if there is one. `path` is percent-decoded.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(&T, Parameters)> {
        let segments: Vec<&str> = segments(path);
        let best = self
            .entries
            .iter()
            .filter(|entry| {
                entry
                    .method
                    .as_deref()
                    .is_none_or(|wanted| wanted == method)
            })
            .filter_map(|entry| Some((entry, matched(&entry.parts, &segments)?)))
            .min_by_key(|(entry, _)| rank(entry));
        match best {
            Some((entry, parameters)) => Some((&entry.target, parameters)),
            None => self.default.as_ref().map(|target| (target, Vec::new())),
        }
    }
}

/// Two segments for `/a/b`, none for `/`. A trailing slash makes a different path,
/// as for API Gateway.
fn segments(path: &str) -> Vec<&str> {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => Vec::new(),
        rest => rest.split('/').collect(),
    }
}

fn parts(path: &str) -> Vec<Part> {
    segments(path)
        .into_iter()
        .map(|part| {
            match part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            {
                None => Part::Exactly(part.to_owned()),
                Some(name) => match name.strip_suffix('+') {
                    Some(name) => Part::Greedy(name.to_owned()),
                    None => Part::Parameter(name.to_owned()),
                },
            }
        })
        .collect()
}

/// The parameters, if the path matches.
fn matched(parts: &[Part], segments: &[&str]) -> Option<Parameters> {
    let mut parameters = Vec::new();
    let mut index = 0;
    for part in parts {
        match part {
            Part::Exactly(text) => {
                if segments.get(index) != Some(&text.as_str()) {
                    return None;
                }
                index += 1;
            }
            Part::Parameter(name) => {
                let value = segments.get(index).filter(|value| !value.is_empty())?;
                parameters.push((name.clone(), (*value).to_owned()));
                index += 1;
            }
            Part::Greedy(name) => {
                let rest = segments.get(index..).filter(|rest| !rest.is_empty())?;
                parameters.push((name.clone(), rest.join("/")));
                index = segments.len();
            }
        }
    }
    (index == segments.len()).then_some(parameters)
}

/// Full matches precede greedy ones; then the more specific path comes first,
/// segment by segment; then a specific method precedes any.
fn rank<T>(entry: &Entry<T>) -> (bool, Vec<u8>, bool) {
    let specific = |part: &Part| match part {
        Part::Exactly(_) => 0,
        Part::Parameter(_) => 1,
        Part::Greedy(_) => 2,
    };
    let greedy = entry
        .parts
        .iter()
        .any(|part| matches!(part, Part::Greedy(_)));
    (
        greedy,
        entry.parts.iter().map(specific).collect(),
        entry.method.is_none(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&'static str]) -> Routes<&'static str> {
        Routes::new(keys.iter().map(|key| {
            let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
            let method = (method != "ANY").then(|| method.to_owned());
            (
                Route {
                    line: 1,
                    method,
                    path: path.to_owned(),
                    authorizer: None,
                },
                *key,
            )
        }))
    }

    fn found(routes: &Routes<&'static str>, method: &str, path: &str) -> Option<&'static str> {
        routes.find(method, path).map(|(key, _)| *key)
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let mut keys = [
            "$default",
            "ANY /api/{proxy+}",
            "GET /api/{proxy+}",
            "GET /api/orders/{id}",
            "GET /api/{kind}/latest",
            "GET /api/orders/latest",
            "ANY /api/orders/latest",
            "GET /",
            "PUT /{kind}/{id}",
            "PUT /api/{proxy+}",
        ];
        for _ in 0..keys.len() {
            keys.rotate_left(1);
            let routes = routes(&keys);
            for (method, path, key) in [
                ("GET", "/api/orders/latest", "GET /api/orders/latest"),
                ("POST", "/api/orders/latest", "ANY /api/orders/latest"),
                ("GET", "/api/orders/7", "GET /api/orders/{id}"),
                ("GET", "/api/products/latest", "GET /api/{kind}/latest"),
                ("GET", "/api/a/b/c", "GET /api/{proxy+}"),
                ("PUT", "/api/a/b/c", "PUT /api/{proxy+}"),
                ("DELETE", "/api/a/b/c", "ANY /api/{proxy+}"),
                ("PUT", "/api/7", "PUT /{kind}/{id}"),
                ("POST", "/api/orders/7", "ANY /api/{proxy+}"),
                ("GET", "/api", "$default"),
                ("GET", "/elsewhere", "$default"),
                ("GET", "/", "GET /"),
                ("GET", "/api/orders/", "GET /api/{proxy+}"),
            ] {
                assert_eq!(found(&routes, method, path), Some(key), "{method} {path}");
            }
        }
    }

    #[test]
    fn parameters_are_named_and_greedy_ones_take_the_rest() {
        let routes = routes(&["GET /a/{x}/b/{y}", "GET /files/{path+}"]);
        let (_, parameters) = routes.find("GET", "/a/1/b/two words").unwrap();
        assert_eq!(
            parameters,
            [("x".into(), "1".into()), ("y".into(), "two words".into())]
        );
        let (_, parameters) = routes.find("GET", "/files/a/b.txt").unwrap();
        assert_eq!(parameters, [("path".into(), "a/b.txt".into())]);
        assert!(routes.find("GET", "/files").is_none());
        assert!(routes.find("GET", "/a//b/2").is_none());
        assert!(routes.find("POST", "/a/1/b/2").is_none());
    }
}
