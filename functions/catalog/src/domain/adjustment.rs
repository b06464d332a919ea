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

/// The numbers of a product and all its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Neither held nor sold.
    pub available: u32,
    /// On hand, but held for orders.
    pub held: u32,
}

impl Levels {
    pub const fn on_hand(self) -> u32 {
        self.available.saturating_add(self.held)
    }
}

/// Why a stock cannot be adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdjustmentError {
    #[error("only {available} are available")]
    Insufficient { available: u32 },
    #[error("{held} are held for orders")]
    Held { held: u32 },
    #[error("the stock would exceed {STOCK_MAX}")]
    TooHigh,
}

impl Operation {
    /// Returns the available stock after the operation. `Set` sets what is on
    /// hand, as a stock-take counts it: goods that are held are still on the shelf.
    pub fn apply(self, current: Levels, quantity: u32) -> Result<u32, AdjustmentError> {
        let Levels { available, held } = current;
        let stock = match self {
            Self::Set => {
                let rest = quantity.checked_sub(held);
                Some(rest.ok_or(AdjustmentError::Held { held })?)
            }
            Self::Increase => available.checked_add(quantity),
            // Not limited: released goods may have brought the stock above the
            // maximum, and it must still be possible to lower it.
            Self::Decrease => {
                let rest = available.checked_sub(quantity);
                return rest.ok_or(AdjustmentError::Insufficient { available });
            }
        };
        stock
            .filter(|stock| *stock <= STOCK_MAX)
            .ok_or(AdjustmentError::TooHigh)
    }

    /// Whether doing it twice does no more than doing it once.
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Set)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stock_stays_between_zero_and_the_maximum(
            available in 0..=STOCK_MAX, held in 0..1_000_u32, quantity in 0..=STOCK_MAX,
            which in 0..3_usize,
        ) {
            let operation = [Operation::Set, Operation::Increase, Operation::Decrease][which];
            let exact = match operation {
                Operation::Set => i64::from(quantity) - i64::from(held),
                Operation::Increase => i64::from(available) + i64::from(quantity),
                Operation::Decrease => i64::from(available) - i64::from(quantity),
            };
            match operation.apply(Levels { available, held }, quantity) {
                Ok(stock) => prop_assert_eq!(i64::from(stock), exact),
                Err(AdjustmentError::Insufficient { available: left }) => {
                    prop_assert!(exact < 0 && operation == Operation::Decrease);
                    prop_assert_eq!(left, available);
                }
                Err(AdjustmentError::Held { held: units }) => {
                    prop_assert!(exact < 0 && operation == Operation::Set);
                    prop_assert_eq!(units, held);
                }
                Err(AdjustmentError::TooHigh) => prop_assert!(exact > i64::from(STOCK_MAX)),
            }
        }
    }

    #[test]
    fn a_stock_above_the_maximum_can_still_be_decreased() {
        let above = Levels {
            available: STOCK_MAX + 5,
            held: 0,
        };
        assert_eq!(Operation::Decrease.apply(above, 1), Ok(STOCK_MAX + 4));
    }
}
