//! The share of a product's stock that buyers who have not proven their address
//! may hold together, so that accounts which cost nothing to make cannot keep a
//! whole shelf from everybody else.

use std::{collections::HashMap, str::FromStr};

use contracts::{calls::Shortage, events::OrderLine};

use super::Product;

/// A share in percent, from 1 to 100; 100 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedShare(u32);

#[derive(Debug, thiserror::Error)]
#[error("not a percentage from 1 to 100")]
pub struct UnverifiedShareError;

/// The conditions under which a line stays within the share, whatever else is
/// written in between: fewer units held, or more in stock, only leave more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareCondition {
    /// Units that unverified buyers may hold already.
    pub held_most: u32,
    /// Units that have to be available.
    pub stock_least: u32,
}

impl Default for UnverifiedShare {
    fn default() -> Self {
        Self(25)
    }
}

impl FromStr for UnverifiedShare {
    type Err = UnverifiedShareError;

    fn from_str(text: &str) -> Result<Self, UnverifiedShareError> {
        let percent = text.parse().ok();
        let percent = percent.filter(|percent| (1..=100).contains(percent));
        percent.map(Self).ok_or(UnverifiedShareError)
    }
}

impl UnverifiedShare {
    pub const fn is_limited(self) -> bool {
        self.0 < 100
    }

    /// The conditions for each of the lines, in their order.
    ///
    /// # Errors
    /// Every line that exceeds the share, with what is left of it.
    pub fn admit(
        self,
        lines: &[OrderLine],
        products: &[Product],
    ) -> Result<Vec<ShareCondition>, Vec<Shortage>> {
        let products: HashMap<_, _> = products.iter().map(|p| (p.id, p)).collect();
        let (mut conditions, mut excesses) = (Vec::with_capacity(lines.len()), Vec::new());
        for line in lines {
            let product = products.get(&line.product_id);
            let (stock, held) = product.map_or((0, 0), |p| (p.stock, p.held_unverified));
            match self.condition(stock, held, line.quantity) {
                Some(condition) => conditions.push(condition),
                None => excesses.push(Shortage {
                    product_id: line.product_id,
                    available: Some(self.most(stock, held).saturating_sub(held).min(stock)),
                }),
            }
        }
        if excesses.is_empty() {
            Ok(conditions)
        } else {
            Err(excesses)
        }
    }

    /// How many units unverified buyers may hold in all: a share of what is
    /// available and what they hold, so that it does not shrink as they take
    /// theirs. At least one, so that a shop with single pieces sells to them.
    fn most(self, stock: u32, held: u32) -> u32 {
        let base = u64::from(stock) + u64::from(held);
        let most = base * u64::from(self.0) / 100;
        u32::try_from(most).unwrap_or(u32::MAX).max(1)
    }

    /// Leaves half of the remaining room to other unverified buyers and the rest
    /// to others who lower the stock meanwhile, so that neither makes a
    /// reservation start again while there is plenty.
    fn condition(self, stock: u32, held: u32, quantity: u32) -> Option<ShareCondition> {
        let room = self.most(stock, held).checked_sub(held)?;
        let spare = room.checked_sub(quantity)?;
        let held_most = held + spare / 2;
        let total = u64::from(held_most) + u64::from(quantity);
        // The smallest stock for which `most` is still that total.
        let base = match total {
            0 | 1 => 0,
            total => (total * 100).div_ceil(u64::from(self.0)),
        };
        let stock_least = base.saturating_sub(u64::from(held_most));
        Some(ShareCondition {
            held_most,
            stock_least: u32::try_from(stock_least).unwrap_or(u32::MAX).max(quantity),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        for text in ["1", "25", "100"] {
            assert!(text.parse::<UnverifiedShare>().is_ok(), "{text}");
        }
        for text in ["", "0", "101", "-1", "25%", "x"] {
            assert!(text.parse::<UnverifiedShare>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_quarter_is_rounded_down_but_is_at_least_one_unit() {
        let quarter = UnverifiedShare::default();
        let admits = |stock, held, quantity| quarter.condition(stock, held, quantity).is_some();
        assert!(admits(1, 0, 1) && !admits(2, 1, 1));
        assert!(admits(7, 0, 1) && !admits(7, 0, 2));
        assert!(admits(8, 0, 2) && admits(7, 1, 1) && !admits(6, 2, 1));
        assert!(!admits(1, 9, 1), "sold meanwhile to others");
    }

    proptest! {
        #[test]
        fn whatever_is_written_under_the_conditions_stays_within_the_share(
            percent in 1..=100_u32, stock in 0..2_000_u32, held in 0..2_000_u32,
            quantity in 1..500_u32, less_held in 0..2_000_u32, more_stock in 0..2_000_u32,
        ) {
            let share = UnverifiedShare(percent);
            if let Some(condition) = share.condition(stock, held, quantity) {
                prop_assert!(held <= condition.held_most);
                prop_assert!(stock >= condition.stock_least || stock < quantity);
                // Any state that meets the conditions.
                let held = condition.held_most.saturating_sub(less_held);
                let stock = condition.stock_least + more_stock;
                prop_assert!(stock >= quantity);
                prop_assert!(held + quantity <= share.most(stock, held));
            } else {
                prop_assert!(held + quantity > share.most(stock, held));
            }
        }
    }
}
