//! Goods of a product that sells faster than one item can be written.
//!
//! The product's own item is where its goods lie until transactions conflict on
//! it. Then goods move into shards, items of their own that sell side by side.
//! Goods that are moved are neither held nor sold by it: on hand and available
//! are sums over the product and its shards.

use std::ops::Range;

use jiff::Timestamp;
use kernel::{Money, ProductId};
use serde::{Deserialize, Serialize};

use super::Product;

/// Goods that a shard is opened with at least. Fewer are sold before it pays to
/// look for them in several places; and a share of so many is not rounded to
/// nothing.
const SHARD_GOODS_MIN: u32 = 16;
/// Shards that are opened together, at most: with the product and the registry
/// they are one transaction, of 100 items at most. A shard sells some 50 units
/// a second, at 20 ms each.
const OPENED_MAX: u32 = 64;
/// Shards of a product, at most: one BatchGetItem reads 100 items.
pub const SHARDS_MAX: u32 = 96;
/// Units that stay with the product when shards are opened, because some of
/// what was read is sold before the transaction: an eighth, up to this.
const LEFT_MAX: u32 = 4;
/// Units held or sold in a second by all shards together, below which one item
/// can do the work again.
const QUIET_CHANGES_PER_SECOND: u64 = 2;
/// The shortest time over which that is measured.
const QUIET_SECONDS_MIN: i64 = 45;

/// Where goods lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The product's own item.
    Product,
    /// The shard with this number.
    Shard(u32),
}

/// Goods of a product that lie apart from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub product_id: ProductId,
    /// Counts the shards that the product has ever had. A number is not used
    /// again, so goods that came from a shard cannot be returned to another.
    pub number: u32,
    /// A copy of the product's terms, under which its goods are sold.
    pub name: String,
    pub price: Money,
    pub active: bool,
    /// The available stock in it.
    pub stock: u32,
    /// Units held of it.
    #[serde(default)]
    pub held: u32,
    /// How many of them for buyers who have not proven their address.
    #[serde(default)]
    pub held_unverified: u32,
    /// Its part of what such buyers held of the product when it was opened. It
    /// counts towards their share, and stays where it is.
    #[serde(default)]
    pub carried_unverified: u32,
    /// Counts the changes.
    pub version: u64,
    pub updated_at: Timestamp,
}

/// Shards to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub shards: Vec<Shard>,
    /// The units that move into them.
    pub moved: u32,
}

/// What is known of a product in shards from the last look at all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCount {
    pub product_id: ProductId,
    /// How often its shards had changed.
    #[serde(default)]
    pub changes: u64,
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub counted_at: Timestamp,
}

impl ShardCount {
    /// Whether one item could do what the shards have done since.
    pub fn is_quiet_until(&self, changes: u64, now: Timestamp) -> bool {
        let seconds = now.duration_since(self.counted_at).as_secs();
        let changed = changes.saturating_sub(self.changes);
        seconds >= QUIET_SECONDS_MIN
            && u64::try_from(seconds)
                .is_ok_and(|seconds| changed < seconds * QUIET_CHANGES_PER_SECOND)
    }
}

impl Product {
    /// The numbers of its shards.
    pub const fn shard_numbers(&self) -> Range<u32> {
        self.shards_opened.saturating_sub(self.shards)..self.shards_opened
    }

    /// The shards into which its goods can move; `None` if there are too few
    /// goods, or too many shards.
    pub fn opening(&self, now: Timestamp) -> Option<Opening> {
        let free = SHARDS_MAX.saturating_sub(self.shards);
        let moved = self.stock - (self.stock / 8).min(LEFT_MAX);
        let count = (moved / SHARD_GOODS_MIN).min(OPENED_MAX).min(free);
        if count < 2 {
            return None;
        }
        let shards = (0..count).map(|index| Shard {
            product_id: self.id,
            number: self.shards_opened + index,
            name: self.name.clone(),
            price: self.price,
            active: self.active,
            stock: part(moved, count, index),
            held: 0,
            held_unverified: 0,
            carried_unverified: part(self.held_unverified, count, index),
            version: 1,
            updated_at: now,
        });
        Some(Opening {
            shards: shards.collect(),
            moved,
        })
    }
}

/// One of `count` parts of a whole, as equal as they can be.
const fn part(whole: u32, count: u32, index: u32) -> u32 {
    whole / count + (index < whole % count) as u32
}

/// The shards, with quantities, out of which a product gets the units that it
/// lacks for a line of `quantity`; the fullest first. `None` if all goods
/// together are too few.
pub fn gathering(available: u32, shards: &[Shard], quantity: u32) -> Option<Vec<(u32, u32)>> {
    let mut lacking = quantity.saturating_sub(available);
    let mut fullest: Vec<&Shard> = shards.iter().collect();
    fullest.sort_by_key(|shard| (std::cmp::Reverse(shard.stock), shard.number));
    let mut taken = Vec::new();
    for shard in fullest {
        let from_it = shard.stock.min(lacking);
        if from_it > 0 {
            taken.push((shard.number, from_it));
            lacking -= from_it;
        }
    }
    (lacking == 0).then_some(taken)
}

#[cfg(test)]
mod tests {
    use kernel::Currency;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn product(stock: u32, shards: u32, opened: u32) -> Product {
        Product {
            id: Uuid::from_u128(7).into(),
            name: "Lamp".into(),
            description: None,
            price: Money::new(1_999, Currency::USD).unwrap(),
            category_id: Uuid::from_u128(8).into(),
            categories: Vec::new(),
            stock,
            held: 0,
            held_unverified: 0,
            shards,
            shards_opened: opened,
            shard_stock: 0,
            shard_held: 0,
            tags: Vec::new(),
            active: true,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    proptest! {
        #[test]
        fn an_opening_moves_what_its_shards_get_and_uses_new_numbers(
            stock in 0..1_000_000_u32, shards in 0..=SHARDS_MAX, ever in 0..1_000_u32,
        ) {
            let product = product(stock, shards, shards + ever);
            if let Some(opening) = product.opening(Timestamp::UNIX_EPOCH) {
                let in_shards: u32 = opening.shards.iter().map(|shard| shard.stock).sum();
                prop_assert_eq!(in_shards, opening.moved);
                prop_assert!(opening.moved <= stock);
                prop_assert!(opening.shards.len() >= 2);
                let count = u32::try_from(opening.shards.len()).unwrap();
                prop_assert!(count <= OPENED_MAX && shards + count <= SHARDS_MAX);
                for (shard, number) in opening.shards.iter().zip(product.shards_opened..) {
                    prop_assert!(shard.stock >= SHARD_GOODS_MIN);
                    prop_assert_eq!(shard.number, number);
                    prop_assert!(!product.shard_numbers().contains(&number));
                }
            } else {
                prop_assert!(stock < 40 || shards > SHARDS_MAX - 2);
            }
        }

        #[test]
        fn a_gathering_takes_what_is_lacking_and_no_more_than_there_is(
            available in 0..50_u32, stocks in prop::collection::vec(0..20_u32, 0..10),
            quantity in 1..200_u32,
        ) {
            let opening = product(1_000, 0, 0).opening(Timestamp::UNIX_EPOCH).unwrap();
            let shards: Vec<Shard> = opening.shards.into_iter().zip(&stocks)
                .map(|(shard, stock)| Shard { stock: *stock, ..shard }).collect();
            let sum = available + stocks.iter().sum::<u32>();
            match gathering(available, &shards, quantity) {
                None => prop_assert!(sum < quantity),
                Some(taken) => {
                    let units: u32 = taken.iter().map(|(_, units)| units).sum();
                    prop_assert_eq!(units, quantity.saturating_sub(available));
                    for (number, units) in taken {
                        prop_assert!(units <= shards[number as usize].stock);
                    }
                }
            }
        }
    }

    #[test]
    fn shards_are_quiet_when_one_item_could_have_done_their_work() {
        let count = ShardCount {
            product_id: Uuid::from_u128(7).into(),
            changes: 100,
            counted_at: Timestamp::UNIX_EPOCH,
        };
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert!(count.is_quiet_until(219, at(60)));
        assert!(!count.is_quiet_until(220, at(60)));
        assert!(!count.is_quiet_until(100, at(44)), "too short a time");
    }
}
