//! Postal addresses.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{
    Country,
    input::{FieldErrors, Fields, FromInput, Value},
};

/// Characters of a name, as carriers print it.
const NAME_LENGTHS: RangeInclusive<usize> = 1..=100;
/// Characters of a line of an address.
const LINE_LENGTHS: RangeInclusive<usize> = 1..=200;
/// Characters of a town or a state; the longest town names have under 90.
const PLACE_LENGTHS: RangeInclusive<usize> = 1..=100;
/// Characters of a postal code; the longest in use have ten.
const POSTAL_CODE_LENGTHS: RangeInclusive<usize> = 1..=16;

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The recipient.
    pub name: String,
    /// The street and number.
    pub line1: String,
    /// Further details, such as a flat or floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// The town.
    pub city: String,
    /// The state or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The postal code.
    pub postal_code: String,
    /// The country.
    pub country: Country,
}

impl Address {
    /// Parses the members of an address from an object that may have others.
    pub fn from_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required_with("name", |v| line(v, NAME_LENGTHS));
        let line1 = fields.required_with("line1", |v| line(v, LINE_LENGTHS));
        let line2 = fields.optional_with("line2", |v| line(v, LINE_LENGTHS));
        let city = fields.required_with("city", |v| line(v, PLACE_LENGTHS));
        let state = fields.optional_with("state", |v| line(v, PLACE_LENGTHS));
        let postal_code = fields.required_with("postalCode", |v| line(v, POSTAL_CODE_LENGTHS));
        let country = fields.required("country");
        Some(Self {
            name: name?,
            line1: line1?,
            line2,
            city: city?,
            state,
            postal_code: postal_code?,
            country: country?,
        })
    }
}

impl FromInput for Address {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let address = Self::from_fields(&mut fields);
        fields.finish(|| address)
    }
}

/// One line of text, so that an address prints as it was given.
fn line(value: Value<'_>, lengths: RangeInclusive<usize>) -> Result<String, FieldErrors> {
    let text = value.trimmed(lengths)?;
    if text.chars().any(char::is_control) {
        return Err(FieldErrors::new("must be one line"));
    }
    Ok(text)
}
