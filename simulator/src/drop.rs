//! A drop: very many buy one product in the same minute.
//!
//! `reserve-stock` and `settle-reservations` run on the simulated DynamoDB, in which a
//! transaction keeps its items for [`TRANSACTION`], and refuses every other that wants one of
//! them. Time is virtual: what is measured is what the design does, not this machine.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::{
    Envelope,
    calls::{ReserveStock, StockReservation},
    events::{OrderAuthorized, Quantity},
};
use http::Method;
use kernel::{Actor, Cause, OrderId, ProductId};
use local::template::Template;
use runtime::Host;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Run, buyers, check,
    dice::Dice,
    faults::Rates,
    weather::{Forecast, Weather},
    world::World,
};

/// How long a transaction keeps its items: two phases in one region.
const TRANSACTION: Duration = Duration::from_millis(10);
/// How long `place-order` waits for `reserve-stock`.
const PATIENCE: Duration = Duration::from_millis(3_300);
/// When the money of an order is promised, after its goods are held.
const PAYS_MILLIS: u64 = 2_000;
/// How often an event is delivered when its consumer fails.
const DELIVERIES_MAX: u32 = 5;
/// Orders of another product, a second.
const OTHERS_PER_SECOND: u64 = 20;
/// When nothing is under way any more.
const REST: Duration = Duration::from_secs(30);
const PURPOSE: u64 = 30;

/// What is offered.
#[derive(Clone, Copy, Debug)]
pub struct Drop {
    /// Orders a second.
    pub rate: u64,
    /// Orders in all, one unit each.
    pub buyers: u64,
    /// Units there are.
    pub stock: u64,
    /// From which all chance follows.
    pub seed: u64,
}

/// How one kind of orders went.
#[derive(Debug, Default)]
pub struct Sales {
    outcomes: BTreeMap<&'static str, u64>,
    /// In milliseconds, of those that were held or refused.
    latencies: Vec<u128>,
}

impl Sales {
    /// How many ended so.
    pub fn count(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or_default()
    }

    fn percentile(&self, percent: usize) -> u128 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let index = sorted.len() * percent / 100;
        let last = sorted.len().saturating_sub(1);
        sorted.get(index.min(last)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Sales {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (outcome, count) in &self.outcomes {
            write!(f, "{outcome} {count}, ")?;
        }
        let [median, high] = [50, 99].map(|percent| self.percentile(percent));
        write!(f, "p50 {median} ms, p99 {high} ms")
    }
}

/// How a drop went.
#[derive(Debug, Default)]
pub struct Report {
    /// Of the product that everybody wants.
    pub hot: Sales,
    /// Of another one.
    pub other: Sales,
    /// Transactions that met another.
    pub conflicts: u64,
    /// Milliseconds until the last unit was held.
    pub last_held_ms: u128,
    /// What is wrong; empty if everything was sold exactly once.
    pub wrong: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "hot product: {}", self.hot)?;
        writeln!(f, "other product: {}", self.other)?;
        write!(
            f,
            "{} conflicts; the last unit was held after {} ms",
            self.conflicts, self.last_held_ms
        )?;
        for wrong in &self.wrong {
            write!(f, "\nWRONG: {wrong}")?;
        }
        Ok(())
    }
}

type Shared = Arc<Mutex<Report>>;

/// Runs a drop.
///
/// # Panics
/// When the template cannot be deployed.
pub fn run(template: &Arc<Template>, drop: Drop) -> Report {
    fastrand::seed(drop.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let report = runtime.block_on(simulate(template, drop));
    runtime.shutdown_background();
    report
}

async fn simulate(template: &Arc<Template>, drop: Drop) -> Report {
    let calm = Forecast::of(
        Weather::CALM,
        &Dice::new(drop.seed, PURPOSE),
        Duration::ZERO,
    );
    let world = World::deploy(template, &Run::of(drop.seed), Rates::NONE, calm);
    let world = Arc::new(world.expect("the template deploys"));
    let hot = product(&world, "Hot", drop.stock).await;
    let other = product(&world, "Other", drop.buyers).await;
    world.faults.transactions_take(TRANSACTION);
    let report = Shared::default();
    let dice = Arc::new(Dice::new(drop.seed, PURPOSE));
    let begin = Instant::now();
    let spacing = |rate: u64| Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
    let others = drop.buyers * OTHERS_PER_SECOND / drop.rate.max(1);
    let host = world.new_host();
    let mut orders = Vec::new();
    for (product, count, rate) in [
        (hot, drop.buyers, drop.rate),
        (other, others, OTHERS_PER_SECOND),
    ] {
        for number in 0..count {
            // Evenly, but not in step.
            let at = spacing(rate) * u32::try_from(number).unwrap_or(u32::MAX);
            let at = begin + at + dice.delay(spacing(rate) * 20);
            orders.push((at, product));
        }
    }
    orders.sort_unstable_by_key(|(at, _)| *at);
    for (at, product) in orders {
        tokio::time::sleep_until(at).await;
        let buyer = Buyer {
            world: world.clone(),
            host: host.clone(),
            order_id: host.new_id(),
            product,
            pays_after: Duration::from_millis(300 + dice.below(PAYS_MILLIS)),
            begin,
            is_hot: product == hot,
        };
        tokio::spawn(buyer.order(report.clone()));
    }
    tokio::time::sleep(REST).await;
    let mut report = std::mem::take(&mut *report.lock().unwrap_or_else(PoisonError::into_inner));
    let injected = world.faults.injected();
    report.conflicts = injected
        .get("transaction conflict")
        .copied()
        .unwrap_or_default();
    let wrong = [
        goods(&world, hot, drop.stock, &report.hot),
        goods(&world, other, drop.buyers, &report.other),
    ];
    report.wrong = wrong.concat();
    report
}

async fn product(world: &Arc<World>, name: &str, stock: u64) -> ProductId {
    let internal = |function| buyers::client(world, function).as_internal();
    let category = json!({ "name": name }).to_string();
    let created = internal("create-category")
        .exchange(Method::POST, "/api/categories", Some(category))
        .await;
    let category = &created.body["data"]["id"];
    let product = json!({ "name": name, "price": 10, "categoryId": category, "stock": stock });
    let created = internal("create-product")
        .exchange(Method::POST, "/api/products", Some(product.to_string()))
        .await;
    let id = created.body["data"]["id"].as_str().unwrap_or_default();
    id.parse().expect("a product")
}

struct Buyer {
    world: Arc<World>,
    host: Host,
    order_id: OrderId,
    product: ProductId,
    pays_after: Duration,
    begin: Instant,
    is_hot: bool,
}

impl Buyer {
    async fn order(self, report: Shared) {
        let call = ReserveStock {
            order_id: self.order_id,
            lines: vec![Quantity {
                product_id: self.product,
                quantity: 1,
            }],
            unverified: false,
            knows_invalid_total: true,
            knows_contended: true,
            correlation_id: "drop".into(),
        };
        let since = Instant::now();
        let call = serde_json::to_string(&call).unwrap_or_default();
        let reply = tokio::time::timeout(PATIENCE, self.world.invoke("reserve-stock", call)).await;
        let outcome = match reply {
            Err(_) => "503 no answer",
            Ok(Err(_)) => "503 failed",
            Ok(Ok(reply)) => match serde_json::from_str(&reply) {
                Ok(StockReservation::Held { .. }) => "held",
                Ok(StockReservation::Refused { .. }) => "refused",
                Ok(StockReservation::Contended) => "503 contended",
                _ => "503 other",
            },
        };
        {
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_hot && outcome == "held" {
                report.last_held_ms = self.begin.elapsed().as_millis();
            }
            let sales = match self.is_hot {
                true => &mut report.hot,
                false => &mut report.other,
            };
            *sales.outcomes.entry(outcome).or_default() += 1;
            if matches!(outcome, "held" | "refused") {
                sales.latencies.push(since.elapsed().as_millis());
            }
        }
        if outcome == "held" {
            tokio::time::sleep(self.pays_after).await;
            self.pay().await;
        }
    }

    async fn pay(&self) {
        let authorized = OrderAuthorized {
            order_id: self.order_id,
            payment_id: self.host.new_id(),
        };
        let cause = Cause::new("drop", "drop", Actor::Function("drop"));
        let event = Envelope::new(&authorized, self.host.stamp(self.host.now(), &cause));
        let body = serde_json::to_string(&event).unwrap_or_default();
        let payload = json!({ "Records": [{
            "messageId": "1", "receiptHandle": "simulated", "body": body, "attributes": {},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:drop",
        }] });
        for _ in 0..DELIVERIES_MAX {
            let reply = self
                .world
                .invoke("settle-reservations", payload.to_string())
                .await;
            let reply: Value = serde_json::from_str(&reply.unwrap_or_default()).unwrap_or_default();
            if reply["batchItemFailures"]
                .as_array()
                .is_some_and(Vec::is_empty)
            {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// No unit has appeared or vanished, and each that was promised is sold.
fn goods(world: &World, product: ProductId, put_in: u64, sales: &Sales) -> Vec<String> {
    let id = product.to_string();
    let items = check::items(world, "CatalogTable");
    let (mut available, mut held, mut sold) = (0, 0, 0);
    for item in &items {
        let number = |name: &str| item[name].as_u64().unwrap_or_default();
        if item["id"] == id.as_str() || item["product_id"] == id.as_str() {
            available += number("stock");
            held += number("held");
        }
        let lines = item["lines"].as_array();
        let is_its = lines.is_some_and(|lines| lines[0]["productId"] == id.as_str());
        if is_its && item["status"] == "sold" {
            sold += 1;
        }
    }
    let promised = sales.count("held");
    let mut wrong = Vec::new();
    if available + held + sold != put_in {
        wrong.push(format!(
            "{put_in} were put in, {available} are available, {held} held, {sold} sold"
        ));
    }
    // An order whose caller had gone may have got its goods, which expire.
    if sold != promised {
        wrong.push(format!("{promised} were promised, {sold} sold"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runtime::Environment;

    use super::*;

    /// `make drop` runs more, for longer.
    #[test]
    fn a_thousand_a_second_are_sold_once_and_next_to_none_is_turned_away() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = Template::load(&root, &Environment::default()).expect("the template");
        let template = Arc::new(template);
        let drop = Drop {
            rate: 1_000,
            buyers: 600,
            stock: 400,
            seed: 1,
        };
        let report = run(&template, drop);
        assert!(report.wrong.is_empty(), "{report}");
        let (held, refused) = (report.hot.count("held"), report.hot.count("refused"));
        assert_eq!(held, drop.stock, "{report}");
        assert!((held + refused) * 100 >= drop.buyers * 99, "{report}");
        let others = drop.buyers * OTHERS_PER_SECOND / drop.rate;
        assert_eq!(report.other.count("held"), others, "{report}");
    }
}
