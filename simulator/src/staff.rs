//! Staff: they receive goods and enter them, while customers are buying; and they look at
//! the catalogue. Who gets no answer enters the same again, under the same key.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{
    buyers::{Product, Told, client},
    dice::Dice,
    world::World,
};

/// How often an entry is repeated that is not answered.
const TRIES_MAX: usize = 12;
/// The wait before that.
const RETRY_MILLIS: u64 = 15_000;
/// The most units of a delivery.
const UNITS_MAX: u64 = 5;

/// Receives goods while the shop is open; returns when all have been entered.
pub async fn work(
    world: &Arc<World>,
    dice: &Dice,
    products: &[Product],
    told: &Arc<Told>,
    open: Duration,
) {
    let open = u64::try_from(open.as_millis()).unwrap_or(u64::MAX);
    let entries: Vec<_> = (0..world.faults.forecast().adjustments)
        .map(|number| {
            let (world, told) = (world.clone(), told.clone());
            let product = products[dice.index(products.len())].id.clone();
            let (units, starts) = (1 + dice.below(UNITS_MAX), dice.below(open));
            let waits: Vec<_> = (0..TRIES_MAX).map(|_| dice.below(RETRY_MILLIS)).collect();
            let key = Uuid::from_u128(u128::from(number) | 2 << 64).to_string();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(starts)).await;
                enter(&world, &told, &product, units, &key, waits).await;
            })
        })
        .collect();
    for entry in entries {
        if let Err(error) = entry.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

async fn enter(
    world: &Arc<World>,
    told: &Told,
    product: &str,
    units: u64,
    key: &str,
    waits: Vec<u64>,
) {
    let adjust = client(world, "adjust-stock")
        .as_internal()
        .with_header("idempotency-key", key);
    let look = client(world, "get-product");
    let path = format!("/api/products/{product}/stock");
    let body = json!({"quantity": units, "operation": "increase"}).to_string();
    told.entering(product, units);
    for wait in waits {
        // Somebody looks before they enter; what they see may be old.
        look.exchange(Method::GET, &format!("/api/products/{product}"), None)
            .await;
        let reply = adjust
            .exchange(Method::PATCH, &path, Some(body.clone()))
            .await;
        let status = reply.status.as_u16();
        world.tell(format_args!(
            "staff: +{units} of {product} is told {status}"
        ));
        if status < 300 {
            return told.received(product, units);
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}
