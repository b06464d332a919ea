//! Customers: they order, lose patience, and try again under the same key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contracts::{Envelope, events::UserUpdated};
use http::Method;
use kernel::{Actor, Cause, Role, UserId};
use lambda_runtime::LambdaEvent;
use runtime::Handler;
use serde_json::{Value, json, value::RawValue};
use testkit::Client;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{dice::Dice, world::World};

/// The time in which orders are placed.
pub const SHOPPING_MILLIS: u64 = 240_000;
/// How long a rush lasts.
const RUSH_MILLIS: u64 = 50;
/// How long a customer waits for an answer: as long as API Gateway.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a customer tries again.
const TRIES_MAX: u64 = 8;
/// The wait before another try.
const RETRY_MILLIS: u64 = 20_000;
/// The longest wait of somebody who comes back.
const COMES_BACK_MILLIS: u64 = 1_200_000;
/// When somebody comes back who comes back the next day.
const NEXT_DAY_MILLIS_MIN: u64 = 16 * 3_600_000;
const NEXT_DAY_MILLIS_MAX: u64 = 30 * 3_600_000;

/// The most customers of a run.
const BUYERS_MAX: u64 = 24;
/// Of a thousand runs, how many are crowded.
const CROWDED: u32 = 200;
/// What is sent without faults has arrived by then.
const SETTLES: Duration = Duration::from_secs(10);

/// A product, and how many of it there were.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its id.
    pub id: String,
    /// Units in stock at the beginning.
    pub stock: u64,
}

/// What somebody was told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When.
    pub at: Instant,
    /// The status.
    pub status: u16,
    /// The order, if there was one in the reply.
    pub order: Value,
}

/// What customers and staff were told.
#[derive(Debug, Default)]
pub struct Told {
    replies: Mutex<BTreeMap<String, Vec<Answer>>>,
    received: Mutex<BTreeMap<String, Received>>,
}

/// Units of a product that staff have entered.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Those that they were told have been added.
    pub certain: u64,
    /// Those that they have got no answer for, entry by entry.
    pub uncertain: Vec<u64>,
}

impl Told {
    fn add(&self, key: &str, status: u16, order: Value) {
        let mut told = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        let answer = Answer { at, status, order };
        told.entry(key.to_owned()).or_default().push(answer);
    }

    /// All replies by key.
    pub fn by_key(&self) -> BTreeMap<String, Vec<Answer>> {
        let told = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    /// Staff are entering units of a product.
    pub fn entering(&self, product: &str, units: u64) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let received = received.entry(product.to_owned()).or_default();
        received.uncertain.push(units);
    }

    /// Staff have been told that units they were entering are there.
    pub fn received(&self, product: &str, units: u64) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let received = received.entry(product.to_owned()).or_default();
        let entry = received.uncertain.iter().position(|one| *one == units);
        if let Some(entry) = entry {
            received.uncertain.swap_remove(entry);
            received.certain += units;
        }
    }

    /// What staff have entered of a product.
    pub fn entered(&self, product: &str) -> Received {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.get(product).cloned().unwrap_or_default()
    }
}

/// A client of one function, through the gateway.
pub fn client(world: &Arc<World>, function: &'static str) -> Client {
    let world = world.clone();
    let handler: Handler = Arc::new(move |event: LambdaEvent<Box<RawValue>>| {
        let world = world.clone();
        Box::pin(async move {
            let invocation = world.invoke(function, event.payload.get().to_owned());
            let reply = match tokio::time::timeout(PATIENCE, invocation).await {
                Ok(Ok(_)) if world.faults.loses_answer() => {
                    json!({"statusCode": 504, "body": ""}).to_string()
                }
                Ok(Ok(reply)) => reply,
                // API Gateway's answers to a function that failed or took too long.
                Ok(Err(_)) => json!({"statusCode": 500, "body": ""}).to_string(),
                Err(_) => json!({"statusCode": 504, "body": ""}).to_string(),
            };
            Ok(RawValue::from_string(reply)?)
        })
    });
    Client::new(handler)
}

/// Fills the shelves, while nothing goes wrong.
pub async fn stock(world: &Arc<World>, dice: &Dice) -> Vec<Product> {
    let internal = |function| client(world, function).as_internal();
    let category = json!({"name": "Things"});
    let created = internal("create-category")
        .exchange(Method::POST, "/api/categories", Some(category.to_string()))
        .await;
    let category = created.body["data"]["id"].clone();
    let mut products = Vec::new();
    for number in 0..=dice.below(3) {
        // Sometimes there is plenty, so that what fails is not always for want of goods.
        let stock = match dice.happens(500) {
            true => 1 + dice.below(12),
            false => 1 + dice.below(60),
        };
        let product = json!({
            "name": format!("Thing {number}"), "price": 10 + number,
            "categoryId": category, "stock": stock,
        });
        let created = internal("create-product")
            .exchange(Method::POST, "/api/products", Some(product.to_string()))
            .await;
        let id = created.body["data"]["id"].as_str().unwrap_or_default();
        assert!(!id.is_empty(), "no product: {}", created.body);
        products.push(Product {
            id: id.to_owned(),
            stock,
        });
    }
    products
}

/// How many customers a run has: mostly few, so that there are many runs.
pub fn crowd(dice: &Dice, is_rough: bool) -> u64 {
    let crowded = dice.happens(CROWDED);
    match crowded || is_rough {
        true => BUYERS_MAX / 3 + dice.below(BUYERS_MAX * 2 / 3 + 1),
        false => 2 + dice.below(BUYERS_MAX / 3),
    }
}

/// Lets the other services know of the customers, as `users` does.
pub async fn register(world: &Arc<World>, count: u64) {
    let topics = &world.template.topics;
    let topic = topics.iter().find(|topic| topic.logical_id == "UsersTopic");
    let topic = topic.map(local::template::Topic::arn).unwrap_or_default();
    let host = world.new_host();
    for number in 0..count {
        let updated = UserUpdated {
            user_id: user_id(number),
            email: format!("buyer{number}@example.com"),
            name: "Ann Buyer".into(),
            role: "user".into(),
            status: "active".into(),
            preferences: None,
        };
        let cause = Cause::new("simulated", "simulated", Actor::Function("simulator"));
        let event = Envelope::new(&updated, host.stamp(world.now(), &cause));
        let event = serde_json::to_string(&event).unwrap_or_default();
        world.publish(&topic, &event);
    }
    tokio::time::sleep(SETTLES).await;
}

fn user_id(number: u64) -> UserId {
    Uuid::from_u128(0x7000 << 64 | 0x8000 << 48 | u128::from(number)).into()
}

/// Sends customers to the shop, and waits until all have gone.
pub async fn shop(
    world: &Arc<World>,
    dice: &Dice,
    count: u64,
    products: &[Product],
    told: &Arc<Told>,
) {
    // Customers come in rushes: many read the same shelf at the same time.
    let rushes: Vec<u64> = (0..=dice.below(4))
        .map(|_| dice.below(SHOPPING_MILLIS))
        .collect();
    let buyers: Vec<_> = (0..count)
        .map(|number| {
            let returns = world.faults.forecast().returns;
            let orders: Vec<Intent> = (0..=dice.below(2))
                .map(|_| Intent::draw(dice, products, &rushes, returns))
                .collect();
            let buyer = Buyer {
                world: world.clone(),
                told: told.clone(),
                number,
                user_id: user_id(number),
            };
            tokio::spawn(async move {
                for order in orders {
                    buyer.order(order).await;
                }
            })
        })
        .collect();
    for buyer in buyers {
        if let Err(error) = buyer.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What a customer wants to order, and how patiently.
struct Intent {
    key: String,
    body: Value,
    starts: Duration,
    waits: Vec<Duration>,
}

impl Intent {
    fn draw(dice: &Dice, products: &[Product], rushes: &[u64], returns: u32) -> Self {
        let mut items = Vec::new();
        for product in products {
            if items.is_empty() || dice.happens(400) {
                items.push(json!({"productId": product.id, "quantity": 1 + dice.below(3)}));
            }
        }
        let method = match dice.below(20) {
            0..=13 => "pm_card_visa",
            14..=16 => "pm_card_chargeDeclined",
            _ => "pm_card_chargeCustomerFail",
        };
        let body = json!({
            "items": items, "paymentMethod": method,
            "shippingAddress": {
                "name": "Ann Buyer", "line1": "1 High Street", "city": "Springfield",
                "postalCode": "12345", "state": "IL", "country": "US",
            },
        });
        let tries = dice.below(TRIES_MAX);
        let waits = (0..tries).map(|_| match dice.happens(50) {
            true => dice.below(COMES_BACK_MILLIS),
            false => dice.below(RETRY_MILLIS),
        });
        let mut waits: Vec<u64> = waits.collect();
        if dice.happens(returns) {
            waits.push(NEXT_DAY_MILLIS_MIN + dice.below(NEXT_DAY_MILLIS_MAX - NEXT_DAY_MILLIS_MIN));
        }
        Self {
            key: Uuid::from_u128(u128::from(dice.below(u64::MAX)) | 1 << 64).to_string(),
            body,
            starts: Duration::from_millis(
                rushes[dice.index(rushes.len())] + dice.below(RUSH_MILLIS),
            ),
            waits: waits.into_iter().map(Duration::from_millis).collect(),
        }
    }
}

struct Buyer {
    world: Arc<World>,
    told: Arc<Told>,
    number: u64,
    user_id: UserId,
}

impl Buyer {
    async fn order(&self, intent: Intent) {
        tokio::time::sleep(intent.starts).await;
        let client = client(&self.world, "place-order").as_user(self.user_id, Role::User);
        // Half of the customers have not proven their address.
        let client = match self.number % 2 {
            0 => client.as_unverified(),
            _ => client,
        };
        let client = client
            .from_ip(&format!("203.0.113.{}", self.number))
            .with_header("idempotency-key", &intent.key);
        let mut waits = intent.waits.into_iter();
        loop {
            let body = Some(intent.body.to_string());
            let reply = client.exchange(Method::POST, "/api/orders", body).await;
            let status = reply.status.as_u16();
            self.world.tell(format_args!(
                "buyer {}: {} is told {status} {}",
                self.number,
                &intent.key[30..],
                reply.body["code"].as_str().unwrap_or_default()
            ));
            let id = reply.body["data"]["id"].clone();
            self.told.add(&intent.key, status, id);
            let again =
                status >= 500 || status == 429 || reply.body["code"] == "idempotency_in_progress";
            // Some repeat even what has succeeded: the reply was lost on the way.
            let Some(wait) = waits.next() else { return };
            let returns = wait >= Duration::from_millis(NEXT_DAY_MILLIS_MIN);
            if !again && !returns && wait.as_millis() % 3 != 0 {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }
}
