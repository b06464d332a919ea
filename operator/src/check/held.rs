//! Compares what products and their shards count as held with the reservations that
//! hold it. What is on hand is available or held, so a wrong number makes a
//! stock-take wrong.
//!
//! The pages of the catalogue are minutes apart, and what is held changes meanwhile.
//! So they only tell which products to look at: those whose numbers and reservations
//! differed. These are read again, their reservations between two readings of their
//! numbers. Each change of a reservation is one transaction with the numbers, which
//! have a version; if no version has changed, nothing has.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use catalog::{
    domain::{Reservation, Status},
    store::EXPIRY_SHARDS,
};
use dynamo::Key;
use kernel::{OrderId, ProductId, SignedDuration};
use runtime::Error;
use serde::{Deserialize, Serialize};

use super::{Finding, Position, pages::Row, related};
use crate::Shop;

/// Times that a product which changes while it is compared is compared again.
const ROUNDS_MAX: usize = 3;
/// How long numbers must have been the same before their reservations are looked up:
/// the index of those is behind the table by up to a second.
const INDEX_LAG: Duration = Duration::from_secs(2);
/// Held reservations in one shard of the index that are read: with all shards, those
/// of 350 orders a second. Where there are more, nothing is compared.
const HELD_MAX: usize = 20_000;
/// Reservations that are in memory at once.
const RESERVATIONS_MAX: usize = 1_000;
/// More than any hold has left.
const LATER: SignedDuration = SignedDuration::from_hours(24);

/// Units of a product that are held. As a difference it is negative if reservations
/// have more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub all: i64,
    /// By buyers who have not proven their address.
    pub unverified: i64,
}

impl Held {
    fn add(&mut self, other: Self, sign: i64) {
        self.all += sign * other.all;
        self.unverified += sign * other.unverified;
    }

    /// What a reservation holds of each product.
    fn of(reservation: &Reservation) -> impl Iterator<Item = (ProductId, Self)> {
        let is_held = reservation.status == Status::Held;
        let lines = reservation.lines.iter().filter(move |_| is_held);
        lines.map(|line| {
            let when = |counts| if counts { i64::from(line.quantity) } else { 0 };
            let held = Self {
                all: when(reservation.counted),
                unverified: when(reservation.unverified),
            };
            (line.product_id, held)
        })
    }
}

/// A product or a shard, as far as it is needed here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Place {
    pk: String,
    version: u64,
    #[serde(default)]
    held: i64,
    #[serde(default)]
    held_unverified: i64,
    #[serde(default)]
    shards: u32,
    #[serde(default)]
    shards_opened: u32,
}

/// The product that an item, `PRODUCT#<id>` or `STOCK#<id>#<number>`, belongs to.
fn product_of(pk: &str) -> Option<ProductId> {
    pk.split('#').nth(1)?.parse().ok()
}

impl Position {
    fn count(&mut self, product_id: ProductId, held: Held, sign: i64) {
        let entry = self.held.entry(product_id).or_default();
        entry.add(held, sign);
        if *entry == Held::default() {
            self.held.remove(&product_id);
        }
    }

    /// Counts the numbers of a product or a shard.
    pub(super) fn count_place(&mut self, row: &Row) {
        let number = |name| row.number(name).unwrap_or_default();
        let held = Held {
            all: number("held"),
            unverified: number("held_unverified"),
        };
        self.units.available += number("stock");
        self.units.on_hand += number("stock") + held.all;
        for name in ["stock", "held", "held_unverified"] {
            if number(name) < 0 {
                self.find(Finding::negative(row, name));
            }
        }
        if let Some(product_id) = product_of(&row.pk) {
            self.count(product_id, held, 1);
        }
    }

    pub(super) fn count_reservation(&mut self, reservation: &Reservation) {
        for (product_id, held) in Held::of(reservation) {
            self.count(product_id, held, -1);
        }
    }
}

/// Reads the products again whose numbers differed from their reservations.
pub(super) async fn compare(shop: &Shop, position: &mut Position) -> Result<(), Error> {
    let mut open: BTreeSet<_> = mem::take(&mut position.held).into_keys().collect();
    for _ in 0..ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        let before = places(shop, &open).await?;
        tokio::time::sleep(INDEX_LAG).await;
        let Some(reserved) = reserved(shop, &open).await? else {
            break;
        };
        let after = places(shop, &open).await?;
        open.retain(|id| {
            if before.get(id) != after.get(id) {
                return true;
            }
            let mut counted = Held::default();
            for place in after.get(id).into_iter().flatten() {
                let (all, unverified) = (place.held, place.held_unverified);
                counted.add(Held { all, unverified }, 1);
            }
            let reserved = reserved.get(id).copied().unwrap_or_default();
            if counted != reserved {
                position.find(Finding::held_differs(*id, counted, reserved));
            }
            false
        });
    }
    position.not_compared = u64::try_from(open.len())?;
    Ok(())
}

/// The items of each product that count what is held of it.
async fn places(
    shop: &Shop,
    ids: &BTreeSet<ProductId>,
) -> Result<BTreeMap<ProductId, Vec<Place>>, Error> {
    let table = shop.table("catalog")?;
    let key = |id: &ProductId| Key::new(format!("PRODUCT#{id}"), "PRODUCT");
    let products: Vec<Place> = related(table, ids.iter().map(key).collect()).await?;
    let mut keys = Vec::new();
    let mut found: BTreeMap<ProductId, Vec<Place>> = BTreeMap::new();
    for place in products {
        let Some(id) = product_of(&place.pk) else {
            continue;
        };
        let first = place.shards_opened.saturating_sub(place.shards);
        let numbers = first..place.shards_opened;
        keys.extend(numbers.map(|number| Key::new(format!("STOCK#{id}#{number}"), "STOCK")));
        found.entry(id).or_default().push(place);
    }
    let shards: Vec<Place> = related(table, keys).await?;
    for place in shards {
        if let Some(id) = product_of(&place.pk) {
            found.entry(id).or_default().push(place);
        }
    }
    for places in found.values_mut() {
        places.sort_by(|one, other| one.pk.cmp(&other.pk));
    }
    Ok(found)
}

/// What reservations hold of some products; `None` if there are too many to read.
async fn reserved(
    shop: &Shop,
    wanted: &BTreeSet<ProductId>,
) -> Result<Option<BTreeMap<ProductId, Held>>, Error> {
    let table = shop.table("catalog")?;
    let key = |id: &OrderId| Key::new(format!("RESERVATION#{id}"), "RESERVATION");
    let later = shop.host.now().saturating_add(LATER)?;
    let mut sums: BTreeMap<ProductId, Held> = BTreeMap::new();
    for shard in 0..EXPIRY_SHARDS {
        let ids = shop.catalog.overdue(shard, later, HELD_MAX).await?;
        if ids.len() == HELD_MAX {
            return Ok(None);
        }
        for ids in ids.chunks(RESERVATIONS_MAX) {
            let keys = ids.iter().map(key).collect();
            let reservations: Vec<Reservation> = related(table, keys).await?;
            let lines = reservations.iter().flat_map(Held::of);
            for (id, held) in lines.filter(|(id, _)| wanted.contains(id)) {
                sums.entry(id).or_default().add(held, 1);
            }
        }
    }
    Ok(Some(sums))
}
