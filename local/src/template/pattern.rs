//! Filter patterns: those of event source mappings and those of subscriptions.

use serde_json::Value;

/// A pattern of `FilterCriteria` that is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Fields);

type Fields = Vec<(String, Rule)>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// All of these fields of an object.
    Within(Fields),
    /// One of these.
    OneOf(Vec<Match>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    Exactly(Value),
    Exists(bool),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// The reason why it is not supported.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("the pattern is not JSON: {error}"))?;
        Ok(Self(fields(&value)?))
    }

    /// Whether a record matches the pattern.
    pub fn matches(&self, record: &Value) -> bool {
        all_match(&self.0, Some(record))
    }
}

fn fields(value: &Value) -> Result<Fields, String> {
    let object = value.as_object().ok_or("a pattern is a JSON object")?;
    object
        .iter()
        .map(|(name, rule)| {
            let rule = match rule {
                Value::Object(_) => Rule::Within(fields(rule)?),
                Value::Array(options) if name != "$or" && !options.is_empty() => {
                    Rule::OneOf(options.iter().map(option).collect::<Result<_, _>>()?)
                }
                _ => {
                    return Err(format!(
                        "{name} in the pattern is neither an object nor a list of values"
                    ));
                }
            };
            Ok((name.clone(), rule))
        })
        .collect()
}

fn option(value: &Value) -> Result<Match, String> {
    let Some(object) = value.as_object() else {
        return Ok(Match::Exactly(value.clone()));
    };
    let unsupported = || format!("{value} in the pattern is not supported here");
    let mut entries = object.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
        return Err(unsupported());
    };
    match (name.as_str(), argument) {
        ("exists", Value::Bool(exists)) => Ok(Match::Exists(*exists)),
        ("prefix", Value::String(prefix)) => Ok(Match::Prefix(prefix.clone())),
        ("suffix", Value::String(suffix)) => Ok(Match::Suffix(suffix.clone())),
        ("anything-but", Value::Array(values)) if values.iter().all(|value| !value.is_object()) => {
            Ok(Match::AnythingBut(values.clone()))
        }
        ("anything-but", Value::String(_) | Value::Number(_)) => {
            Ok(Match::AnythingBut(vec![argument.clone()]))
        }
        _ => Err(unsupported()),
    }
}

fn all_match(fields: &Fields, value: Option<&Value>) -> bool {
    fields.iter().all(|(name, rule)| {
        let value = value.and_then(|value| value.get(name));
        match rule {
            Rule::Within(fields) => all_match(fields, value),
            Rule::OneOf(options) => options.iter().any(|option| option_matches(option, value)),
        }
    })
}

fn option_matches(option: &Match, value: Option<&Value>) -> bool {
    match option {
        Match::Exists(wanted) => value.is_some_and(|value| !value.is_object()) == *wanted,
        Match::Exactly(wanted) => value == Some(wanted),
        Match::Prefix(prefix) => value
            .and_then(Value::as_str)
            .is_some_and(|text| text.starts_with(prefix)),
        Match::Suffix(suffix) => value
            .and_then(Value::as_str)
            .is_some_and(|text| text.ends_with(suffix)),
        Match::AnythingBut(unwanted) => value.is_some_and(|value| !unwanted.contains(value)),
    }
}

/// Checks that the embedded SNS supports a subscription's filter policy. One that it
/// does not support would silently match nothing.
///
/// # Errors
/// The reason why it is not supported.
pub(crate) fn check_filter_policy(policy: &Value, on_body: bool) -> Result<(), String> {
    let object = policy
        .as_object()
        .ok_or("a filter policy is a JSON object")?;
    for (name, options) in object {
        let Some(options) = options.as_array() else {
            let what = if on_body {
                "nested fields are"
            } else {
                "anything but a list is"
            };
            return Err(format!(
                "{what} not supported in a filter policy here ({name})"
            ));
        };
        for option in options {
            let known = match option {
                Value::String(_) | Value::Number(_) => true,
                Value::Object(rule) if rule.len() == 1 => rule.iter().all(|(kind, argument)| {
                    matches!(
                        (kind.as_str(), argument),
                        ("exists", Value::Bool(_))
                            | ("prefix" | "suffix", Value::String(_))
                            | ("anything-but", Value::String(_) | Value::Array(_))
                            | ("numeric", Value::Array(_))
                    )
                }),
                _ => false,
            };
            if !known {
                return Err(format!(
                    "{option} is not supported in a filter policy here ({name})"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(pattern: Value, record: Value) -> bool {
        Pattern::parse(&pattern.to_string())
            .unwrap()
            .matches(&record)
    }

    #[test]
    fn every_field_must_match_one_of_its_options() {
        let pattern = json!({"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"kind": {"S": ["outbox"]}}}});
        let record = |name: &str, kind: &str| json!({"eventName": name, "dynamodb": {"NewImage": {"kind": {"S": kind}}}});
        assert!(matches(pattern.clone(), record("INSERT", "outbox")));
        assert!(matches(pattern.clone(), record("MODIFY", "outbox")));
        assert!(!matches(pattern.clone(), record("REMOVE", "outbox")));
        assert!(!matches(pattern.clone(), record("INSERT", "order")));
        assert!(!matches(
            pattern,
            json!({"eventName": "INSERT", "dynamodb": {}})
        ));
    }

    #[test]
    fn operators() {
        let record = json!({"a": {"S": "outbox#1"}});
        let of = |rule: Value| json!({"a": {"S": [rule]}});
        assert!(matches(of(json!({"prefix": "outbox#"})), record.clone()));
        assert!(!matches(of(json!({"prefix": "order#"})), record.clone()));
        assert!(matches(of(json!({"suffix": "#1"})), record.clone()));
        assert!(matches(of(json!({"exists": true})), record.clone()));
        assert!(!matches(of(json!({"exists": false})), record.clone()));
        assert!(matches(
            json!({"b": {"S": [{"exists": false}]}}),
            record.clone()
        ));
        assert!(matches(of(json!({"anything-but": ["x"]})), record.clone()));
        assert!(!matches(of(json!({"anything-but": "outbox#1"})), record));
    }

    #[test]
    fn unsupported_patterns_are_rejected() {
        for pattern in [
            r#"{"a": [{"numeric": [">", 1]}]}"#,
            r#"{"$or": [{"a": ["b"]}]}"#,
            r#"{"a": "b"}"#,
            r#"["a"]"#,
            "{",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert!(
            check_filter_policy(
                &json!({"type": ["order.placed", {"prefix": "order."}]}),
                true
            )
            .is_ok()
        );
        assert!(check_filter_policy(&json!({"data": {"total": [1]}}), true).is_err());
        assert!(check_filter_policy(&json!({"type": [{"cidr": "10.0.0.0/8"}]}), true).is_err());
    }
}
