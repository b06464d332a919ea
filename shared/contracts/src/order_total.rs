//! What the lines of an order come to: checked by catalog before it reserves
//! them, and by orders before it places the order.

use kernel::{Money, MoneyError};
use serde::{Deserialize, Serialize};

use crate::events::OrderLine;

/// Why lines cannot be one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum OrderTotalError {
    /// A line is priced in another currency than the first one.
    #[error("line {line} is not priced in the currency of the first line")]
    MixedCurrencies {
        /// The line, counted from 0.
        line: usize,
    },
    /// The total is more than an amount of money can be.
    #[error("the total exceeds the maximum amount")]
    TooLarge,
}

impl OrderLine {
    /// The price of all its pieces.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`]; never for a line of an order that was placed.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.unit_price.checked_mul(self.quantity)
    }
}

/// The sum of the lines; `None` if there are none.
///
/// # Errors
/// When no order can have these lines.
pub fn order_total(lines: &[OrderLine]) -> Result<Option<Money>, OrderTotalError> {
    let Some(first) = lines.first() else {
        return Ok(None);
    };
    let mut total = Money::zero(first.unit_price.currency());
    for (index, line) in lines.iter().enumerate() {
        let sum = line.total().and_then(|amount| total.checked_add(amount));
        total = sum.map_err(|error| match error {
            MoneyError::CurrencyMismatch => OrderTotalError::MixedCurrencies { line: index },
            _ => OrderTotalError::TooLarge,
        })?;
    }
    Ok(Some(total))
}
