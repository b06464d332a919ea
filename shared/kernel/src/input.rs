//! Reading what a client sent into types that are proof.
//!
//! A body is read once, field by field. Every fault is collected with its
//! JSON pointer (RFC 6901), so that a client learns of all of them at once,
//! and unknown fields are refused, so that a misspelt one is not ignored.
//! Numbers keep the text they were written with: see [`crate::Decimal`].
//! Why not a derive: `docs/decisions/0003-reading-input.md`.

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

use serde::Serialize;
use serde_json::value::RawValue;

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where: a JSON pointer into a body, or the name of a query parameter.
    pub field: String,
    /// What, as a sentence that follows the field's name.
    pub message: String,
}

/// Everything that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusals {
    /// The value itself is wrong.
    pub fn here(message: impl Into<String>) -> Self {
        Self(vec![Refusal {
            field: String::new(),
            message: message.into(),
        }])
    }

    /// A field of a body is wrong, found after it was read.
    pub fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Refusal {
            field: field.into(),
            message: message.into(),
        }])
    }

    fn under(mut self, prefix: &str) -> Self {
        for refusal in &mut self.0 {
            refusal.field.insert_str(0, prefix);
        }
        self
    }
}

/// A type that can be read from input.
pub trait FromInput: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong, with where.
    fn from_input(value: Value<'_>) -> Result<Self, Refusals>;
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
    pub fn text(self) -> Result<Cow<'a, str>, Refusals> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Json(raw) => serde_json::from_str::<String>(raw.get())
                .map(Cow::Owned)
                .map_err(|_| Refusals::here("must be a string")),
        }
    }

    /// The value as text without the white space around it, with so many
    /// characters (Unicode scalar values) and no control character but
    /// newlines and tabs.
    ///
    /// # Errors
    /// When it is not, with the bounds.
    pub fn trimmed(self, characters: RangeInclusive<usize>) -> Result<String, Refusals> {
        let text = self.text()?.trim().to_owned();
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            return Err(Refusals::here("must not have control characters"));
        }
        let (least, most) = characters.clone().into_inner();
        match text.chars().count() {
            0 if least > 0 => Err(Refusals::here("must not be empty")),
            n if characters.contains(&n) => Ok(text),
            _ => Err(Refusals::here(format!(
                "must have {least} to {most} characters"
            ))),
        }
    }

    /// The text of a number, as it was written.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn number(self) -> Result<&'a str, Refusals> {
        let text = match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        };
        match text.bytes().next() {
            Some(b'-' | b'0'..=b'9') => Ok(text),
            _ => Err(Refusals::here("must be a number")),
        }
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// When it is not one, or not in the range.
    pub fn whole_number(self, range: RangeInclusive<i64>) -> Result<i64, Refusals> {
        let text = self.number()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() {
            return Err(Refusals::here("must be a whole number"));
        }
        match text.parse::<i64>() {
            Ok(n) if range.contains(&n) => Ok(n),
            _ => Err(Refusals::here(format!(
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
    pub fn boolean(self) -> Result<bool, Refusals> {
        let text = match self {
            Self::Text(text) => text,
            Self::Json(raw) => raw.get(),
        };
        text.parse()
            .map_err(|_| Refusals::here("must be true or false"))
    }

    /// The members of an object.
    ///
    /// # Errors
    /// When it is not an object.
    pub fn fields(self) -> Result<Fields<'a>, Refusals> {
        let refused = || Refusals::here("must be an object");
        let Self::Json(raw) = self else {
            return Err(refused());
        };
        let members: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| refused())?;
        let members = members
            .into_iter()
            .map(|(name, raw)| (name, Value::Json(raw)))
            .collect();
        Ok(Fields {
            members,
            prefix: "/",
            refusals: Vec::new(),
        })
    }

    /// A list with so many items.
    ///
    /// # Errors
    /// When it is not a list, has too few or too many, and whatever is wrong
    /// with its items.
    pub fn list<T: FromInput>(self, lengths: RangeInclusive<usize>) -> Result<Vec<T>, Refusals> {
        let refused = || Refusals::here("must be a list");
        let Self::Json(raw) = self else {
            return Err(refused());
        };
        let values: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| refused())?;
        if !lengths.contains(&values.len()) {
            let (least, most) = lengths.into_inner();
            return Err(Refusals::here(format!("must have {least} to {most} items")));
        }
        let (mut items, mut refusals) = (Vec::with_capacity(values.len()), Vec::new());
        for (index, value) in values.into_iter().enumerate() {
            match T::from_input(Value::Json(value)) {
                Ok(item) => items.push(item),
                Err(wrong) => refusals.extend(wrong.under(&format!("/{index}")).0),
            }
        }
        if refusals.is_empty() {
            Ok(items)
        } else {
            Err(Refusals(refusals))
        }
    }

    fn is_null(self) -> bool {
        matches!(self, Self::Json(raw) if raw.get() == "null")
    }
}

/// The members of an object while they are read.
#[derive(Debug)]
pub struct Fields<'a> {
    members: BTreeMap<String, Value<'a>>,
    /// Before a member's name in a refusal: `/` in a body, nothing in a query.
    prefix: &'static str,
    refusals: Vec<Refusal>,
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
            refusals: Vec::new(),
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
        read: impl FnOnce(Value<'a>) -> Result<T, Refusals>,
    ) -> Option<T> {
        match self.members.remove(name) {
            Some(value) if !value.is_null() => self.keep(name, read(value)),
            _ => self.keep(name, Err(Refusals::here("is required"))),
        }
    }

    /// A member that may be missing, or null, read by a function.
    pub fn optional_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value<'a>) -> Result<T, Refusals>,
    ) -> Option<T> {
        match self.members.remove(name) {
            Some(value) if !value.is_null() => self.keep(name, read(value)),
            _ => None,
        }
    }

    /// A member that changes something: `None` when it is missing, which leaves
    /// things as they are; `Some(None)` when it is null, which takes away what
    /// there is.
    pub fn change<T: FromInput>(&mut self, name: &str) -> Option<Option<T>> {
        match self.members.remove(name)? {
            value if value.is_null() => Some(None),
            value => self.keep(name, T::from_input(value)).map(Some),
        }
    }

    /// Keeps a value that was made from members already read, or the reason
    /// why it could not be, under a member's name.
    pub fn keep<T>(&mut self, name: &str, read: Result<T, Refusals>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.refusals
                    .extend(wrong.under(&format!("{}{name}", self.prefix)).0);
                None
            }
        }
    }

    /// Ends the reading: refuses what was not asked for, and makes the result
    /// when nothing was wrong.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Result<T, Refusals> {
        for name in self.members.keys() {
            let field = format!(
                "{}{}",
                self.prefix,
                name.replace('~', "~0").replace('/', "~1")
            );
            self.refusals.push(Refusal {
                field,
                message: "is not a known field".into(),
            });
        }
        match make() {
            Some(made) if self.refusals.is_empty() => Ok(made),
            _ => Err(Refusals(self.refusals)),
        }
    }
}

#[cfg(test)]
mod tests;
