//! Where the goods of a line are taken from: the product itself or, while it
//! sells faster than one item can be written, one of its shards.
//!
//! - A line's goods come from one place. Two shards are drawn and the fuller one
//!   is taken, which keeps them equally full.
//! - When neither has enough, all of them are looked at. When none has enough but
//!   all together have, the goods of several are first gathered in the product.
//! - That all together are too few is remembered for a moment, so that the many
//!   who come too late cost one read each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use dynamo::{Attempts, CommitError, Outcome, StoreError};
use jiff::{SignedDuration, Timestamp};
use kernel::ProductId;
use runtime::{Host, Random};

use crate::{
    domain::{Levels, Place, Product, Shard, ShardCount, Shelf, UnverifiedShare, gathering},
    store::CatalogStore,
};

/// How long an instance believes that shards are as empty as it saw them. Goods
/// come back when a payment fails or a hold expires: whoever asks again a second later gets them.
const MEMORY: SignedDuration = SignedDuration::from_secs(1);
/// Products that an instance remembers.
const REMEMBERED_MAX: usize = 1_000;

/// What an instance remembers of products in shards.
#[derive(Debug, Default)]
pub(crate) struct Shelves(Mutex<HashMap<ProductId, Look>>);

#[derive(Clone, Debug)]
struct Look {
    at: Timestamp,
    shards: Vec<Shard>,
}

/// Where a line's goods can be taken from.
#[derive(Debug)]
pub(crate) enum Choice {
    Take(Place, Shelf),
    /// All places together have no more.
    TooFew(u32),
    /// Once these units have been moved out of these shards to the product.
    Gather(Vec<(u32, u32)>),
}

impl Shelves {
    /// Forgets what it knows of a product, because it turned out to be wrong.
    pub(crate) fn forget(&self, product_id: ProductId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&product_id);
    }

    fn recall(&self, product_id: ProductId, now: Timestamp) -> Option<Vec<Shard>> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.get(&product_id)?;
        (now.duration_since(look.at) < MEMORY).then(|| look.shards.clone())
    }

    fn remember(&self, product_id: ProductId, at: Timestamp, shards: &[Shard]) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= REMEMBERED_MAX {
            looks.clear();
        }
        let shards = shards.to_vec();
        looks.insert(product_id, Look { at, shards });
    }

    /// Chooses where to take `quantity` of a product from. With `share`, the
    /// buyer is unverified, and shelves that admit them are preferred; one that does
    /// not is better than none, to refuse the order with.
    pub(crate) async fn choose(
        &self,
        catalog: &CatalogStore,
        host: &Host,
        product: &Product,
        quantity: u32,
        share: Option<UnverifiedShare>,
    ) -> Result<Choice, StoreError> {
        let own = Shelf::of(product);
        if product.shards == 0 {
            return Ok(match product.stock >= quantity {
                true => Choice::Take(Place::Product, own),
                false => Choice::TooFew(product.stock),
            });
        }
        let suits = |shelf| share.is_none_or(|share| share.admits(shelf, quantity));
        let random = host.random();
        let remembered = self.recall(product.id, host.now());
        if let Some(shards) = &remembered {
            let available = available(product, shards);
            if available < quantity {
                return Ok(Choice::TooFew(available));
            }
        }
        let drawn = draw_two(product, random);
        let drawn = catalog.shards(product.id, drawn).await?;
        let places = |shards: &[Shard]| {
            let own = [(Place::Product, own)].into_iter();
            let shards = shards
                .iter()
                .map(|shard| (Place::Shard(shard.number), Shelf::of_shard(shard)));
            let places = own.chain(shards);
            let places = places.filter(|(_, shelf)| shelf.stock >= quantity);
            places.collect::<Vec<_>>()
        };
        let fuller = places(&drawn)
            .into_iter()
            .filter(|(place, shelf)| *place != Place::Product && suits(*shelf))
            .max_by_key(|(_, shelf)| shelf.stock);
        if let Some((place, shelf)) = fuller {
            return Ok(Choice::Take(place, shelf));
        }
        let shards = match remembered {
            Some(shards) => shards,
            None => {
                let shards = catalog.shards(product.id, product.shard_numbers()).await?;
                self.remember(product.id, host.now(), &shards);
                shards
            }
        };
        let enough = places(&shards);
        let suitable: Vec<_> = enough.iter().filter(|(_, shelf)| suits(*shelf)).collect();
        if !suitable.is_empty() {
            let (place, shelf) = *suitable[below(random, suitable.len())];
            return Ok(Choice::Take(place, shelf));
        }
        let most = enough.into_iter().max_by_key(|(_, shelf)| shelf.stock);
        if let Some((place, shelf)) = most {
            return Ok(Choice::Take(place, shelf));
        }
        let available = available(product, &shards);
        Ok(match gathering(product.stock, &shards, quantity) {
            None => Choice::TooFew(available),
            Some(taken) if share.is_none() => Choice::Gather(taken),
            // What is beside the shards is not for unverified buyers.
            Some(_) => {
                let stock = available;
                Choice::Take(Place::Product, Shelf { stock, ..own })
            }
        })
    }
}

fn available(product: &Product, shards: &[Shard]) -> u32 {
    let in_shards = shards.iter().map(|shard| shard.stock);
    in_shards.fold(product.stock, u32::saturating_add)
}

/// Two numbers of shards, or the one that there is.
fn draw_two(product: &Product, random: &Random) -> Vec<u32> {
    let numbers = product.shard_numbers();
    let count = numbers.len();
    let first = below(random, count);
    let second = (first + 1 + below(random, count.saturating_sub(1).max(1))) % count;
    let mut drawn: Vec<u32> = [first, second]
        .into_iter()
        .filter_map(|index| numbers.clone().nth(index))
        .collect();
    drawn.dedup();
    drawn
}

/// A random number below `limit`, which is small.
fn below(random: &Random, limit: usize) -> usize {
    let number = u32::from_le_bytes(random.bytes());
    usize::try_from(number).unwrap_or_default() % limit.max(1)
}

/// The product and its shards as they are.
pub(crate) async fn count(
    catalog: &CatalogStore,
    product: &Product,
) -> Result<(Levels, Vec<Shard>), StoreError> {
    let shards = catalog.shards(product.id, product.shard_numbers()).await?;
    let held = shards.iter().map(|shard| shard.held);
    let levels = Levels {
        available: available(product, &shards),
        held: held.fold(product.held, u32::saturating_add),
    };
    Ok((levels, shards))
}

/// Folds all shards of a product, one transaction each: whoever dies in
/// between leaves a product with fewer shards. Returns whether none is left.
pub(crate) async fn fold(
    catalog: &CatalogStore,
    host: &Host,
    product_id: ProductId,
) -> Result<bool, StoreError> {
    let mut attempts = Attempts::new(host.random());
    while attempts.next().await {
        let Some(mut product) = catalog.product(product_id).await? else {
            return Ok(true);
        };
        let mut shards = catalog.shards(product_id, product.shard_numbers()).await?;
        shards.sort_by_key(|shard| shard.number);
        for shard in shards {
            match catalog.fold_shard(&product, &shard, host.now()).await {
                Ok(Outcome::Committed) => {
                    product.shards -= 1;
                    product.shard_stock = product.shard_stock.saturating_sub(shard.stock);
                    product.shard_held = product.shard_held.saturating_sub(shard.held);
                }
                // It has sold something, or another fold was faster.
                Ok(Outcome::Conflict(_)) | Err(CommitError::ConditionFailed(_)) => break,
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        if product.shards == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts the goods in the shards of each product that has some, and folds those
/// of products that sell slowly again. Returns how many were folded.
pub(crate) async fn tend(catalog: &CatalogStore, host: &Host) -> Result<usize, StoreError> {
    let mut folded = 0;
    for counted in catalog.sharded_products(SHARDED_MAX).await? {
        let Some(product) = catalog.product(counted.product_id).await? else {
            continue;
        };
        let (levels, shards) = count(catalog, &product).await?;
        let changes = shards.iter().map(|shard| shard.version).sum();
        let now = host.now();
        if counted.is_quiet_until(changes, now) {
            folded += usize::from(fold(catalog, host, product.id).await?);
            continue;
        }
        let in_shards = (
            levels.available - product.stock.min(levels.available),
            levels.held - product.held.min(levels.held),
        );
        let count = ShardCount {
            product_id: product.id,
            changes,
            counted_at: now,
        };
        match catalog.record_count(&product, in_shards, &count).await {
            // The next round counts again.
            Ok(_) | Err(CommitError::ConditionFailed(_)) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
    Ok(folded)
}

/// Products whose shards one round counts: at some 100 ms each, a part of the
/// time that it has.
const SHARDED_MAX: usize = 100;
