//! The lines of an order whose goods are to be reserved.

use std::collections::{HashMap, HashSet};

use contracts::{
    calls::Shortage,
    events::{OrderLine, Quantity},
};
use kernel::ProductId;

use super::{Product, STOCK_MAX};

/// Lines of one reservation. Releasing it is one DynamoDB transaction, which
/// takes 100 items: the lines, the reservation and two events.
pub const LINES_MAX: usize = 50;

/// Lines that no order can have: a defect of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    #[error("a reservation has 1 to {LINES_MAX} lines, not {0}")]
    Count(usize),
    #[error("a line has a quantity of 1 to {STOCK_MAX}, not {0}")]
    Quantity(u32),
    /// Each of the two could pass a check that both together do not.
    #[error("two lines are for product {0}")]
    DuplicateProduct(ProductId),
}

pub fn validate_lines(lines: &[Quantity]) -> Result<(), InvalidLines> {
    if !(1..=LINES_MAX).contains(&lines.len()) {
        return Err(InvalidLines::Count(lines.len()));
    }
    let mut product_ids = HashSet::new();
    for line in lines {
        if !(1..=STOCK_MAX).contains(&line.quantity) {
            return Err(InvalidLines::Quantity(line.quantity));
        }
        if !product_ids.insert(line.product_id) {
            return Err(InvalidLines::DuplicateProduct(line.product_id));
        }
    }
    Ok(())
}

/// Returns the lines with the current names and prices, if all of them are
/// available.
///
/// # Errors
/// Every line that is not.
pub fn check_availability(
    requested: &[Quantity],
    products: &[Product],
) -> Result<Vec<OrderLine>, Vec<Shortage>> {
    let products: HashMap<_, _> = products.iter().map(|p| (p.id, p)).collect();
    let (mut lines, mut shortages) = (Vec::with_capacity(requested.len()), Vec::new());
    for line in requested {
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
    use super::*;

    #[test]
    fn lines_that_no_order_can_have_are_invalid() {
        let product_id: ProductId = testkit::new_id();
        let line = |quantity| Quantity {
            product_id,
            quantity,
        };
        assert_eq!(validate_lines(&[line(1)]), Ok(()));
        assert_eq!(validate_lines(&[]), Err(InvalidLines::Count(0)));
        assert_eq!(validate_lines(&[line(0)]), Err(InvalidLines::Quantity(0)));
        let duplicate = validate_lines(&[line(1), line(2)]);
        assert_eq!(duplicate, Err(InvalidLines::DuplicateProduct(product_id)));
    }
}
