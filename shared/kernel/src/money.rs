//! Money: whole minor units of a currency, exact, checked.

use std::fmt;

use iso_currency::Currency;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use crate::input::{FieldErrors, FromInput, Value};

/// The largest amount in minor units: a billion in most currencies. Far above
/// any order, and far below where sums of a hundred lines overflow.
const MINOR_UNITS_MAX: i64 = 100_000_000_000;

/// An amount of money in minor units (cents, for the dollar) of a currency
/// (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Whole minor units.
    #[serde(rename = "amountMinor")]
    minor: i64,
    #[schemars(with = "String", regex(pattern = "^[A-Z]{3}$"))]
    currency: Currency,
}

/// Why a number is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// It has more decimals than the currency.
    #[error("must have at most {0} decimals")]
    TooManyDecimals(u16),
    /// It is negative.
    #[error("must not be negative")]
    Negative,
    /// It exceeds [`MINOR_UNITS_MAX`].
    #[error("is too large")]
    TooLarge,
    /// The currencies of a sum differ.
    #[error("must be in one currency")]
    CurrencyMismatch,
    /// It is no decimal number.
    #[error("must be a decimal number such as 19.99")]
    NotDecimal,
}

impl Money {
    /// An amount of `minor` units.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] and [`MoneyError::TooLarge`].
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match minor {
            i64::MIN..0 => Err(MoneyError::Negative),
            0..=MINOR_UNITS_MAX => Ok(Self { minor, currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// Zero in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount as a decimal number, for a client.
    pub fn amount(self) -> Decimal {
        let digits = usize::from(exponent(self.currency));
        let text = format!("{:0>width$}", self.minor, width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        Decimal(if digits == 0 {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        })
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] and [`MoneyError::TooLarge`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }

    /// The amount multiplied.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn checked_mul(self, times: u32) -> Result<Self, MoneyError> {
        let minor = self
            .minor
            .checked_mul(i64::from(times))
            .ok_or(MoneyError::TooLarge)?;
        Self::new(minor, self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount().0, self.currency.code())
    }
}

fn exponent(currency: Currency) -> u16 {
    currency.exponent().unwrap_or(0)
}

/// A decimal number exactly as it was written: `19.99` never passes through a
/// float, on the way in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// The number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in a currency.
    ///
    /// # Errors
    /// When it is negative, too large, or has more decimals than the currency.
    pub fn in_currency(&self, currency: Currency) -> Result<Money, MoneyError> {
        let (negative, digits) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, self.0.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let decimals = exponent(currency);
        let kept = fraction.trim_end_matches('0');
        if kept.len() > usize::from(decimals) {
            return Err(MoneyError::TooManyDecimals(decimals));
        }
        let minor: i64 = format!("{whole}{kept:0<width$}", width = usize::from(decimals))
            .parse()
            .map_err(|_| MoneyError::TooLarge)?;
        Money::new(if negative { -minor } else { minor }, currency)
    }
}

impl std::str::FromStr for Decimal {
    type Err = MoneyError;

    /// Digits, with at most one sign before them and one point between them;
    /// no exponent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if all_digits(whole) && all_digits(fraction) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MoneyError::NotDecimal)
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone())
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl FromInput for Decimal {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        value
            .number()?
            .parse()
            .map_err(|error: MoneyError| FieldErrors::new(error.to_string()))
    }
}

impl FromInput for Currency {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        Currency::from_code(&value.text()?)
            .ok_or_else(|| FieldErrors::new("must be a currency code of ISO 4217, such as USD"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, currency: Currency) -> Result<i64, MoneyError> {
        text.parse::<Decimal>()?
            .in_currency(currency)
            .map(Money::minor)
    }

    #[test]
    fn decimals_are_exact_and_as_many_as_the_currency_has() {
        assert_eq!(parse("999.99", Currency::USD), Ok(99_999));
        assert_eq!(parse("0.1", Currency::USD), Ok(10));
        assert_eq!(parse("5", Currency::USD), Ok(500));
        assert_eq!(parse("5.500", Currency::USD), Ok(550));
        assert_eq!(
            parse("5.501", Currency::USD),
            Err(MoneyError::TooManyDecimals(2))
        );
        assert_eq!(parse("500", Currency::JPY), Ok(500));
        assert_eq!(
            parse("500.5", Currency::JPY),
            Err(MoneyError::TooManyDecimals(0))
        );
        assert_eq!(parse("1.234", Currency::KWD), Ok(1_234));
        assert_eq!(parse("-1", Currency::USD), Err(MoneyError::Negative));
        assert_eq!(
            parse("99999999999999999999", Currency::USD),
            Err(MoneyError::TooLarge)
        );
        for text in ["", ".", "1.", ".5", "1e3", "+1", "0x1", "NaN", "1,5", "--1"] {
            assert_eq!(
                parse(text, Currency::USD),
                Err(MoneyError::NotDecimal),
                "{text}"
            );
        }
    }

    #[test]
    fn sums_are_checked() {
        let dollar = Money::new(100, Currency::USD).unwrap();
        let euro = Money::new(100, Currency::EUR).unwrap();
        assert_eq!(dollar.checked_add(euro), Err(MoneyError::CurrencyMismatch));
        assert_eq!(dollar.checked_mul(u32::MAX), Err(MoneyError::TooLarge));
        assert_eq!(dollar.checked_mul(3).unwrap().minor(), 300);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(minor in 0..=MINOR_UNITS_MAX, three in 0..3_usize) {
            let currency = [Currency::USD, Currency::JPY, Currency::KWD][three];
            let money = Money::new(minor, currency).unwrap();
            let json = serde_json::to_string(&money.amount()).unwrap();
            prop_assert_eq!(parse(&json, currency), Ok(minor));
        }
    }
}
