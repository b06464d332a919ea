//! Changing the available stock by hand.

use kernel::input::{FieldErrors, FromInput, Value};

use super::{STOCK_MAX, product::quantity};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Set,
    Increase,
    Decrease,
}

impl FromInput for Operation {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        match &*value.text()? {
            "set" => Ok(Self::Set),
            "increase" => Ok(Self::Increase),
            "decrease" => Ok(Self::Decrease),
            _ => Err(FieldErrors::new("must be increase, decrease or set")),
        }
    }
}

/// A stock adjustment as a client requests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub quantity: u32,
    /// Without one, the method of the request decides.
    pub operation: Option<Operation>,
}

impl FromInput for Adjustment {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let quantity = fields.required_with("quantity", quantity);
        let operation = fields.optional("operation");
        fields.finish(|| {
            Some(Self {
                quantity: quantity?,
                operation,
            })
        })
    }
}

/// Why a stock cannot be adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdjustmentError {
    #[error("only {available} are available")]
    Insufficient { available: u32 },
    #[error("the stock would exceed {STOCK_MAX}")]
    TooHigh,
}

impl Operation {
    /// Returns the new stock of a product whose stock is `current`.
    pub fn apply(self, current: u32, quantity: u32) -> Result<u32, AdjustmentError> {
        let stock = match self {
            Self::Set => Some(quantity),
            Self::Increase => current.checked_add(quantity),
            // Not limited: released goods may have brought the stock above the
            // maximum, and it must still be possible to lower it.
            Self::Decrease => {
                let rest = current.checked_sub(quantity);
                return rest.ok_or(AdjustmentError::Insufficient { available: current });
            }
        };
        stock
            .filter(|stock| *stock <= STOCK_MAX)
            .ok_or(AdjustmentError::TooHigh)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stock_stays_between_zero_and_the_maximum(
            current in 0..=STOCK_MAX, quantity in 0..=STOCK_MAX, which in 0..3_usize,
        ) {
            let operation = [Operation::Set, Operation::Increase, Operation::Decrease][which];
            let exact = match operation {
                Operation::Set => i64::from(quantity),
                Operation::Increase => i64::from(current) + i64::from(quantity),
                Operation::Decrease => i64::from(current) - i64::from(quantity),
            };
            match operation.apply(current, quantity) {
                Ok(stock) => prop_assert_eq!(i64::from(stock), exact),
                Err(AdjustmentError::Insufficient { available }) => {
                    prop_assert!(exact < 0);
                    prop_assert_eq!(available, current);
                }
                Err(AdjustmentError::TooHigh) => prop_assert!(exact > i64::from(STOCK_MAX)),
            }
        }
    }

    #[test]
    fn a_stock_above_the_maximum_can_still_be_decreased() {
        assert_eq!(
            Operation::Decrease.apply(STOCK_MAX + 5, 1),
            Ok(STOCK_MAX + 4)
        );
    }
}
