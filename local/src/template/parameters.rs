//! Parameters: their defaults, and the variables that override them.

use std::collections::BTreeMap;

use runtime::Environment;

use super::{TemplateError, fields::Fields, yaml::Node};

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Text(String),
    List(Vec<String>),
}

/// The values of all parameters. A variable of the same name, or of the name in
/// upper snake case, overrides the default.
pub(crate) fn read(
    node: Option<&Node>,
    environment: &Environment,
) -> Result<BTreeMap<String, Parameter>, TemplateError> {
    let mut parameters = BTreeMap::new();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let value = parameter(&entry.key, entry.line, &entry.value, environment)?;
        parameters.insert(entry.key.clone(), value);
    }
    Ok(parameters)
}

fn parameter(
    name: &str,
    line: usize,
    node: &Node,
    environment: &Environment,
) -> Result<Parameter, TemplateError> {
    let mut fields = Fields::of(node, "parameter")?;
    let kind = fields.require_text("Type")?;
    let default = fields.text("Default")?;
    let allowed = fields.texts("AllowedValues")?;
    let least: Option<i64> = fields.number("MinValue")?;
    let most: Option<i64> = fields.number("MaxValue")?;
    fields.finish()?;

    let variable = upper_snake(name);
    let given = environment
        .get(name)
        .or_else(|| environment.get(&variable))
        .map(str::to_owned);
    let value = given.or(default).ok_or_else(|| {
        TemplateError::at(
            line,
            format!("parameter {name} has no Default: set {variable}"),
        )
    })?;
    if !allowed.is_empty() && !allowed.contains(&value) {
        let allowed = allowed.join(", ");
        return Err(TemplateError::at(
            line,
            format!("parameter {name} is {value:?}, not one of {allowed}"),
        ));
    }
    match kind.as_str() {
        "String" => Ok(Parameter::Text(value)),
        "Number" => {
            let number: i64 = value.parse().map_err(|_| {
                TemplateError::at(
                    line,
                    format!("parameter {name} is {value:?}, not a whole number"),
                )
            })?;
            if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
                return Err(TemplateError::at(
                    line,
                    format!("parameter {name} is {number}, which is out of bounds"),
                ));
            }
            Ok(Parameter::Text(value))
        }
        "CommaDelimitedList" | "List<String>" | "List<Number>" => {
            let items = value
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty());
            Ok(Parameter::List(items.collect()))
        }
        other => Err(TemplateError::at(
            line,
            format!("parameters of type {other} are not supported here"),
        )),
    }
}

/// `AuthRateLimit` as `AUTH_RATE_LIMIT`, `SMSLimit` as `SMS_LIMIT`,
/// `internal-key` as `INTERNAL_KEY`.
pub(crate) fn upper_snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            snake.push('_');
            continue;
        }
        let before = index.checked_sub(1).map(|before| letters[before]);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase()
                        && letters.get(index + 1).is_some_and(char::is_ascii_lowercase))
            });
        if starts_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    fn read_with(
        text: &str,
        variables: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Parameter>, TemplateError> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        read(Some(&yaml::parse(text).unwrap()), &environment)
    }

    #[test]
    fn names_become_variables() {
        for (name, variable) in [
            ("AuthRateLimit", "AUTH_RATE_LIMIT"),
            ("SMSLimit", "SMS_LIMIT"),
            ("internal-key", "INTERNAL_KEY"),
            ("Mfa2Window", "MFA2_WINDOW"),
        ] {
            assert_eq!(upper_snake(name), variable);
        }
    }

    #[test]
    fn a_variable_overrides_the_default_and_the_exact_name_comes_first() {
        let text = "Limit: {Type: Number, Default: 5}\n";
        let value = |variables| read_with(text, variables).unwrap().remove("Limit").unwrap();
        assert_eq!(value(&[]), Parameter::Text("5".into()));
        assert_eq!(value(&[("LIMIT", "6")]), Parameter::Text("6".into()));
        assert_eq!(
            value(&[("LIMIT", "6"), ("Limit", "7")]),
            Parameter::Text("7".into())
        );
    }

    #[test]
    fn values_out_of_bounds_are_rejected_with_the_line() {
        let error = read_with(
            "A: {Type: String, Default: x}\nLimit: {Type: Number, Default: 5, MaxValue: 9}\n",
            &[("LIMIT", "10")],
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "template.yaml:2: parameter Limit is 10, which is out of bounds"
        );
        let error = read_with(
            "Stage: {Type: String, AllowedValues: [a, b], Default: c}\n",
            &[],
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "template.yaml:1: parameter Stage is \"c\", not one of a, b"
        );
        let error = read_with("Sender: {Type: String}\n", &[]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "template.yaml:1: parameter Sender has no Default: set SENDER"
        );
    }
}
