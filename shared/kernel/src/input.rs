//! Parses what a client sent into types whose values are valid.
//!
//! A body is read once, field by field. Every error is collected with its
//! JSON pointer (RFC 6901), so that a client learns of all of them at once,
//! and unknown fields are refused, so that a misspelt one is not ignored.
//! Numbers keep the text they were written with: see [`crate::Decimal`].
//! Why not a derive: `docs/decisions/0003-reading-input.md`.

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

use serde::Serialize;
use serde_json::value::RawValue;

/// An error in the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field: a JSON pointer into a body, or the name of a query parameter.
    pub field: String,
    /// What is wrong, as a phrase that follows the field's name: `is required`.
    pub message: String,
}

/// All errors in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// The value at hand is invalid; whoever reads it adds the field's name.
    pub fn new(message: impl Into<String>) -> Self {
        Self(vec![FieldError {
            field: String::new(),
            message: message.into(),
        }])
    }

    /// A field is invalid, which shows only after the input was read.
    pub fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    fn under(mut self, prefix: &str) -> Self {
        for error in &mut self.0 {
            error.field.insert_str(0, prefix);
        }
        self
    }
}

/// A type that can be parsed from input.
pub trait FromInput: Sized {
    /// Parses it.
    ///
    /// # Errors
    /// Every error, with its field.
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors>;
}

/// One value of the input: a piece of JSON, or the text of a query parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// JSON.
    Json(&'a RawValue),
    /// A query parameter.
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// The value as text.
    ///
    /// # Errors
    /// When it is not a string.
    pub fn text(self) -> Result<Cow<'a, str>, FieldErrors> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Json(raw) => serde_json::from_str::<String>(raw.get())
                .map(Cow::Owned)
                .map_err(|_| FieldErrors::new("must be a string")),
        }
    }

    /// The value as text without the white space around it, with a number of
    /// characters (Unicode scalar values) in a range and no control characters
    /// but newlines and tabs.
    ///
    /// # Errors
    /// When it is no such text; the message names the bounds.
    pub fn trimmed(self, characters: RangeInclusive<usize>) -> Result<String, FieldErrors> {
        let text = self.text()?.trim().to_owned();
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            return Err(FieldErrors::new("must not have control characters"));
        }
        let (least, most) = characters.clone().into_inner();
        match text.chars().count() {
            0 if least > 0 => Err(FieldErrors::new("must not be empty")),
            n if characters.contains(&n) => Ok(text),
            _ => Err(FieldErrors::new(format!(
                "must have {least} to {most} characters"
            ))),
        }
    }

    /// The text of a number, as it was written.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn number(self) -> Result<&'a str, FieldErrors> {
        let text = match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        };
        match text.bytes().next() {
            Some(b'-' | b'0'..=b'9') => Ok(text),
            _ => Err(FieldErrors::new("must be a number")),
        }
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// When it is no whole number, or outside the range.
    pub fn whole_number(self, range: RangeInclusive<i64>) -> Result<i64, FieldErrors> {
        let text = self.number()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() {
            return Err(FieldErrors::new("must be a whole number"));
        }
        match text.parse::<i64>() {
            Ok(n) if range.contains(&n) => Ok(n),
            _ => Err(FieldErrors::new(format!(
                "must be from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is neither.
    pub fn boolean(self) -> Result<bool, FieldErrors> {
        let text = match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        };
        text.parse()
            .map_err(|_| FieldErrors::new("must be true or false"))
    }

    /// The members of an object.
    ///
    /// # Errors
    /// When it is not an object.
    pub fn fields(self) -> Result<Fields<'a>, FieldErrors> {
        let invalid = || FieldErrors::new("must be an object");
        let Self::Json(raw) = self else {
            return Err(invalid());
        };
        let members: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| invalid())?;
        let members = members
            .into_iter()
            .map(|(name, raw)| (name, Value::Json(raw)))
            .collect();
        Ok(Fields {
            members,
            prefix: "/",
            errors: Vec::new(),
        })
    }

    /// A list with a number of items in a range.
    ///
    /// # Errors
    /// When it is no list or has too few or too many items; and the errors of
    /// its items.
    pub fn list<T: FromInput>(self, lengths: RangeInclusive<usize>) -> Result<Vec<T>, FieldErrors> {
        let invalid = || FieldErrors::new("must be a list");
        let Self::Json(raw) = self else {
            return Err(invalid());
        };
        let values: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| invalid())?;
        if !lengths.contains(&values.len()) {
            let (least, most) = lengths.into_inner();
            return Err(FieldErrors::new(format!(
                "must have {least} to {most} items"
            )));
        }
        let (mut items, mut errors) = (Vec::with_capacity(values.len()), Vec::new());
        for (index, value) in values.into_iter().enumerate() {
            match T::from_input(Value::Json(value)) {
                Ok(item) => items.push(item),
                Err(found) => errors.extend(found.under(&format!("/{index}")).0),
            }
        }
        if errors.is_empty() {
            Ok(items)
        } else {
            Err(FieldErrors(errors))
        }
    }

    fn is_null(self) -> bool {
        matches!(self, Self::Json(raw) if raw.get() == "null")
    }
}

/// The members of an object while it is parsed.
#[derive(Debug)]
pub struct Fields<'a> {
    members: BTreeMap<String, Value<'a>>,
    /// What precedes a member's name in an error: `/` in a body, nothing in a query.
    prefix: &'static str,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The parameters of a query string; the last of a name counts.
    pub fn of_query(parameters: &'a [(String, String)]) -> Self {
        let members = parameters
            .iter()
            .map(|(name, text)| (name.clone(), Value::Text(text)))
            .collect();
        Self {
            members,
            prefix: "",
            errors: Vec::new(),
        }
    }

    /// A member that must be there.
    pub fn required<T: FromInput>(&mut self, name: &str) -> Option<T> {
        self.required_with(name, T::from_input)
    }

    /// A member that may be missing, or null.
    pub fn optional<T: FromInput>(&mut self, name: &str) -> Option<T> {
        self.optional_with(name, T::from_input)
    }

    /// A member that must be there, read by a function.
    pub fn required_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value<'a>) -> Result<T, FieldErrors>,
    ) -> Option<T> {
        match self.members.remove(name) {
            Some(value) if !value.is_null() => self.keep(name, read(value)),
            _ => self.keep(name, Err(FieldErrors::new("is required"))),
        }
    }

    /// A member that may be missing, or null, read by a function.
    pub fn optional_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value<'a>) -> Result<T, FieldErrors>,
    ) -> Option<T> {
        match self.members.remove(name) {
            Some(value) if !value.is_null() => self.keep(name, read(value)),
            _ => None,
        }
    }

    /// A member of a partial update: `None` when it is missing, which leaves
    /// the value as it is; `Some(None)` when it is null, which removes it.
    pub fn change<T: FromInput>(&mut self, name: &str) -> Option<Option<T>> {
        match self.members.remove(name)? {
            value if value.is_null() => Some(None),
            value => self.keep(name, T::from_input(value)).map(Some),
        }
    }

    /// The value, or its errors recorded under a member's name.
    pub fn keep<T>(&mut self, name: &str, read: Result<T, FieldErrors>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(found) => {
                self.errors
                    .extend(found.under(&format!("{}{name}", self.prefix)).0);
                None
            }
        }
    }

    /// Ends the parsing: refuses unknown fields, and makes the result if there
    /// was no error.
    ///
    /// # Errors
    /// All of them.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Result<T, FieldErrors> {
        for name in self.members.keys() {
            let field = format!(
                "{}{}",
                self.prefix,
                name.replace('~', "~0").replace('/', "~1")
            );
            self.errors.push(FieldError {
                field,
                message: "is not a known field".into(),
            });
        }
        match make() {
            Some(made) if self.errors.is_empty() => Ok(made),
            _ => Err(FieldErrors(self.errors)),
        }
    }
}

#[cfg(test)]
mod tests;
