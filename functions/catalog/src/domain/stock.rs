//! What can be ordered: changing it by hand, and taking it for an order.

use std::collections::{HashMap, HashSet};

use contracts::{
    calls::Shortage,
    events::{OrderLine, Quantity},
};
use kernel::{
    ProductId,
    input::{FromInput, FieldErrors, Value},
};

use super::{Product, STOCK_MAX, product::quantity};

/// Lines of one reservation. Giving them back is one transaction of DynamoDB,
/// which takes 100 items: the lines, the reservation and two events.
pub const LINES_MAX: usize = 50;

/// How a stock is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It becomes the quantity.
    Set,
    /// The quantity is added.
    Increase,
    /// The quantity is taken away.
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

/// A change of a stock as a client asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// How many.
    pub quantity: u32,
    /// What to do with them, when it is said.
    pub operation: Option<Operation>,
}

impl FromInput for Change {
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

/// Why a stock cannot change like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdjustStockRefusal {
    /// There is less than is to be taken away.
    #[error("only {available} can be ordered")]
    Short {
        /// What there is.
        available: u32,
    },
    /// It would be more than [`STOCK_MAX`].
    #[error("the stock would be more than {STOCK_MAX}")]
    TooMuch,
}

impl Operation {
    /// What a stock of `seen` becomes.
    ///
    /// # Errors
    /// [`AdjustStockRefusal`].
    pub fn apply(self, seen: u32, quantity: u32) -> Result<u32, AdjustStockRefusal> {
        let stock = match self {
            Self::Set => Some(quantity),
            Self::Increase => seen.checked_add(quantity),
            Self::Decrease => {
                let rest = seen.checked_sub(quantity);
                return rest.ok_or(AdjustStockRefusal::Short { available: seen });
            }
        };
        stock
            .filter(|stock| *stock <= STOCK_MAX)
            .ok_or(AdjustStockRefusal::TooMuch)
    }
}

/// A call for goods that no order can have made: a defect of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReservation {
    /// No lines, or more than [`LINES_MAX`].
    #[error("a reservation has 1 to {LINES_MAX} lines, not {0}")]
    Lines(usize),
    /// A quantity of none, or of more than there can be.
    #[error("a line has a quantity of 1 to {STOCK_MAX}, not {0}")]
    Quantity(u32),
    /// Two lines are of one product: they could be refused or counted
    /// separately, though the goods are the same.
    #[error("two lines are of product {0}")]
    Twice(ProductId),
}

/// Checks what was asked for.
///
/// # Errors
/// [`BadReservation`].
pub fn check_lines(lines: &[Quantity]) -> Result<(), BadReservation> {
    if !(1..=LINES_MAX).contains(&lines.len()) {
        return Err(BadReservation::Lines(lines.len()));
    }
    let mut seen = HashSet::new();
    for line in lines {
        if !(1..=STOCK_MAX).contains(&line.quantity) {
            return Err(BadReservation::Quantity(line.quantity));
        }
        if !seen.insert(line.product_id) {
            return Err(BadReservation::Twice(line.product_id));
        }
    }
    Ok(())
}

/// The lines with names and prices of now, if all of them can be had.
///
/// # Errors
/// Every line that cannot.
pub fn snapshot(asked: &[Quantity], products: &[Product]) -> Result<Vec<OrderLine>, Vec<Shortage>> {
    let products: HashMap<_, _> = products.iter().map(|p| (p.id, p)).collect();
    let (mut lines, mut shortages) = (Vec::with_capacity(asked.len()), Vec::new());
    for line in asked {
        let product = products.get(&line.product_id).filter(|p| p.active);
        match product {
            Some(product) if product.stock >= line.quantity => lines.push(OrderLine {
                product_id: product.id,
                name: product.name.clone(),
                quantity: line.quantity,
                unit_price: product.price,
            }),
            _ => shortages.push(Shortage {
                product_id: line.product_id,
                available: product.map(|product| product.stock),
            }),
        }
    }
    if shortages.is_empty() {
        Ok(lines)
    } else {
        Err(shortages)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stock_is_never_below_zero_nor_past_the_most(
            seen in 0..=STOCK_MAX, quantity in 0..=STOCK_MAX, which in 0..3_usize,
        ) {
            let operation = [Operation::Set, Operation::Increase, Operation::Decrease][which];
            let exact = match operation {
                Operation::Set => i64::from(quantity),
                Operation::Increase => i64::from(seen) + i64::from(quantity),
                Operation::Decrease => i64::from(seen) - i64::from(quantity),
            };
            match operation.apply(seen, quantity) {
                Ok(stock) => prop_assert_eq!(i64::from(stock), exact),
                Err(AdjustStockRefusal::Short { available }) => {
                    prop_assert!(exact < 0);
                    prop_assert_eq!(available, seen);
                }
                Err(AdjustStockRefusal::TooMuch) => prop_assert!(exact > i64::from(STOCK_MAX)),
            }
        }
    }

    #[test]
    fn goods_that_came_back_past_the_most_can_still_be_taken() {
        assert_eq!(
            Operation::Decrease.apply(STOCK_MAX + 5, 1),
            Ok(STOCK_MAX + 4)
        );
    }

    #[test]
    fn what_no_order_asks_for_is_refused() {
        let product_id = testkit::new_id::<ProductId>();
        let line = |quantity| Quantity {
            product_id,
            quantity,
        };
        assert_eq!(check_lines(&[line(1)]), Ok(()));
        assert_eq!(check_lines(&[]), Err(BadReservation::Lines(0)));
        assert_eq!(check_lines(&[line(0)]), Err(BadReservation::Quantity(0)));
        let twice = check_lines(&[line(1), line(2)]);
        assert_eq!(twice, Err(BadReservation::Twice(product_id)));
    }
}
