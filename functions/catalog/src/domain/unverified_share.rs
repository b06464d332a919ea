//! The share of a product's stock that buyers who have not proven their address
//! may hold together, so that accounts which cost nothing to make cannot keep a
//! whole shelf from everybody else.

use std::{collections::HashMap, str::FromStr};

use contracts::{calls::Shortage, events::OrderLine};
use kernel::ProductId;

use super::{Product, Shard};

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

/// Where a line's goods are taken from. A share of each shard is a share of the
/// whole, rounded down in each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf {
    pub stock: u32,
    pub held_unverified: u32,
    pub kind: ShelfKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShelfKind {
    /// A product without shards.
    Whole,
    /// What a product has beside its shards. Their shares are all there is: of
    /// goods that come here from a shard, the share may be taken already.
    Rest,
    /// A shard; so much of what is held elsewhere counts towards its share.
    Shard { carried: u32 },
}

impl Shelf {
    pub const fn of(product: &Product) -> Self {
        Self {
            stock: product.stock,
            held_unverified: product.held_unverified,
            kind: match product.shards {
                0 => ShelfKind::Whole,
                _ => ShelfKind::Rest,
            },
        }
    }

    pub const fn of_shard(shard: &Shard) -> Self {
        Self {
            stock: shard.stock,
            held_unverified: shard.held_unverified,
            kind: ShelfKind::Shard {
                carried: shard.carried_unverified,
            },
        }
    }

    /// What counts towards the share.
    const fn held(self) -> u32 {
        match self.kind {
            ShelfKind::Whole | ShelfKind::Rest => self.held_unverified,
            ShelfKind::Shard { carried } => self.held_unverified.saturating_add(carried),
        }
    }
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
        shelves: &HashMap<ProductId, Shelf>,
    ) -> Result<Vec<ShareCondition>, Vec<Shortage>> {
        let (mut conditions, mut excesses) = (Vec::with_capacity(lines.len()), Vec::new());
        for line in lines {
            let shelf = shelves.get(&line.product_id);
            match shelf.and_then(|shelf| self.condition(*shelf, line.quantity)) {
                Some(condition) => conditions.push(condition),
                None => excesses.push(Shortage {
                    product_id: line.product_id,
                    available: shelf.map(|shelf| self.room(*shelf).min(shelf.stock)),
                }),
            }
        }
        if excesses.is_empty() {
            Ok(conditions)
        } else {
            Err(excesses)
        }
    }

    /// Whether a line of `quantity` could be taken from the shelf.
    pub fn admits(self, shelf: Shelf, quantity: u32) -> bool {
        self.condition(shelf, quantity).is_some()
    }

    fn room(self, shelf: Shelf) -> u32 {
        self.most(shelf).saturating_sub(shelf.held())
    }

    /// How many units unverified buyers may hold in all: a share of what is
    /// available and what they hold, so that it does not shrink as they take
    /// theirs. At least one, so that a shop with single pieces sells to them;
    /// but not one in each of many shards.
    fn most(self, shelf: Shelf) -> u32 {
        let base = u64::from(shelf.stock) + u64::from(shelf.held());
        let most = base * u64::from(self.0) / 100;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        match shelf.kind {
            ShelfKind::Whole => most.max(1),
            ShelfKind::Rest => 0,
            ShelfKind::Shard { .. } => most,
        }
    }

    /// Leaves half of the remaining room to other unverified buyers and the rest
    /// to others who lower the stock meanwhile, so that neither makes a
    /// reservation start again while there is plenty.
    fn condition(self, shelf: Shelf, quantity: u32) -> Option<ShareCondition> {
        let held = shelf.held();
        let room = self.most(shelf).checked_sub(held)?;
        let spare = room.checked_sub(quantity)?;
        let held_most = held + spare / 2;
        let total = u64::from(held_most) + u64::from(quantity);
        // The smallest stock for which `most` is still that total.
        let base = match total {
            0 | 1 if shelf.kind == ShelfKind::Whole => 0,
            total => (total * 100).div_ceil(u64::from(self.0)),
        };
        let stock_least = base.saturating_sub(u64::from(held_most));
        Some(ShareCondition {
            held_most: held_most - (held - shelf.held_unverified),
            stock_least: u32::try_from(stock_least).unwrap_or(u32::MAX).max(quantity),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shelf(stock: u32, held_unverified: u32, kind: ShelfKind) -> Shelf {
        Shelf {
            stock,
            held_unverified,
            kind,
        }
    }

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
        let admits =
            |stock, held, quantity| quarter.admits(shelf(stock, held, ShelfKind::Whole), quantity);
        assert!(admits(1, 0, 1) && !admits(2, 1, 1));
        assert!(admits(7, 0, 1) && !admits(7, 0, 2));
        assert!(admits(8, 0, 2) && admits(7, 1, 1) && !admits(6, 2, 1));
        assert!(!admits(1, 9, 1), "sold meanwhile to others");
        let admits = |stock, carried, quantity| {
            quarter.admits(shelf(stock, 0, ShelfKind::Shard { carried }), quantity)
        };
        assert!(!admits(3, 0, 1) && admits(4, 0, 1), "one of many shards");
        assert!(!admits(6, 1, 1) && admits(7, 1, 1), "held elsewhere");
        let rest = shelf(1_000, 0, ShelfKind::Rest);
        assert!(!quarter.admits(rest, 1), "beside shards");
    }

    proptest! {
        #[test]
        fn whatever_is_written_under_the_conditions_stays_within_the_share(
            percent in 1..=100_u32, stock in 0..2_000_u32, held in 0..2_000_u32,
            quantity in 1..500_u32, less_held in 0..2_000_u32, more_stock in 0..2_000_u32,
            carried in prop::option::of(0..100_u32),
        ) {
            let share = UnverifiedShare(percent);
            let kind = carried.map_or(ShelfKind::Whole, |carried| ShelfKind::Shard { carried });
            if let Some(condition) = share.condition(shelf(stock, held, kind), quantity) {
                prop_assert!(held <= condition.held_most);
                prop_assert!(stock >= condition.stock_least || stock < quantity);
                // Any state that meets the conditions.
                let held = condition.held_most.saturating_sub(less_held);
                let stock = condition.stock_least + more_stock;
                prop_assert!(stock >= quantity);
                let shelf = shelf(stock, held, kind);
                prop_assert!(shelf.held() + quantity <= share.most(shelf));
            } else {
                let shelf = shelf(stock, held, kind);
                prop_assert!(shelf.held() + quantity > share.most(shelf));
            }
        }
    }
}
