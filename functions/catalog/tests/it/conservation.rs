//! Whatever happens, and however often: the available, held and sold goods of a
//! product and its shards add up to what was put in, the held ones are those of
//! reservations, nothing is sold late, and no event is answered twice. What unverified buyers hold is counted exactly, and within
//! their share.

use std::collections::{BTreeMap, BTreeSet};

use catalog::domain::{Product, Status};
use contracts::{Envelope, calls::StockReservation};
use kernel::{OrderId, ProductId, SignedDuration};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::fixture::TestCatalog;

const STOCKS: [u32; 2] = [6, 4];
const ORDERS: usize = 4;
/// In percent, of unverified buyers.
const SHARE: u32 = 50;

#[derive(Clone, Debug)]
enum Action {
    /// An order, its lines, and whether its buyer is unverified: a repeated
    /// request may come after the address was verified.
    Reserve(usize, Vec<(usize, u32)>, bool),
    Authorize(usize),
    Cancel(usize),
    FailPayment(usize),
    /// Delivers an earlier event again.
    Redeliver(usize),
    Expire,
    AdvanceMinutes(i64),
    /// Opens some shards for a product, and moves all but some of its goods there.
    Open(usize, u32, u32),
    /// Folds the oldest shard of a product, and no more: whoever does it dies.
    Fold(usize),
    /// A stock-take that finds what is on hand; folds all shards.
    CountStock(usize),
    /// Several of these at once.
    Concurrently(usize),
}

fn action() -> impl Strategy<Value = Action> {
    let order = 0..ORDERS;
    let lines = prop_oneof![
        (0..2_usize, 1..4_u32).prop_map(|line| vec![line]),
        (1..4_u32, 1..4_u32).prop_map(|(first, second)| vec![(0, first), (1, second)]),
    ];
    prop_oneof![
        5 => (order.clone(), lines, any::<bool>())
            .prop_map(|(order, lines, unverified)| Action::Reserve(order, lines, unverified)),
        2 => order.clone().prop_map(Action::Authorize),
        2 => order.clone().prop_map(Action::Cancel),
        1 => order.clone().prop_map(Action::FailPayment),
        2 => (0..50_usize).prop_map(Action::Redeliver),
        2 => Just(Action::Expire),
        2 => (1..12_i64).prop_map(Action::AdvanceMinutes),
        1 => order.prop_map(Action::Concurrently),
        2 => (0..2_usize, 1..4_u32, 0..4_u32)
            .prop_map(|(product, shards, left)| Action::Open(product, shards, left)),
        1 => (0..2_usize).prop_map(Action::Fold),
        1 => (0..2_usize).prop_map(Action::CountStock),
    ]
}

/// Opens shards, even for few goods.
async fn open(catalog: &TestCatalog, id: ProductId, count: u32, left: u32) {
    let product = catalog.peek(id).await;
    let now = catalog.table.clock().now();
    let plenty = Product {
        stock: 1_000,
        ..product.clone()
    };
    let mut opening = plenty.opening(now).unwrap();
    opening.shards.truncate(count as usize);
    let moved = product.stock.saturating_sub(left);
    for (shard, index) in opening.shards.iter_mut().zip(0..) {
        shard.stock = moved / count + u32::from(index < moved % count);
        let carried = product.held_unverified;
        shard.carried_unverified = carried / count + u32::from(index < carried % count);
    }
    opening.moved = moved;
    let _ = catalog.store.open_shards(&product, &opening, now).await;
}

async fn fold(catalog: &TestCatalog, id: ProductId) {
    let product = catalog.peek(id).await;
    let oldest = product.shard_numbers().take(1);
    let shards = catalog.store.shards(id, oldest).await.unwrap();
    let now = catalog.table.clock().now();
    if let [shard] = &shards[..] {
        let _ = catalog.store.fold_shard(&product, shard, now).await;
    }
}

struct Simulation {
    catalog: TestCatalog,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    delivered: Vec<Envelope>,
}

impl Simulation {
    async fn new() -> Self {
        let share = SHARE.to_string();
        let catalog = TestCatalog::with(&[("UNVERIFIED_SHELF_PERCENT", &share)]).await;
        let mut products = Vec::new();
        for stock in STOCKS {
            products.push(catalog.product(stock).await);
        }
        Self {
            catalog,
            products,
            orders: (0..ORDERS).map(|_| testkit::new_id()).collect(),
            delivered: Vec::new(),
        }
    }

    async fn settle(&mut self, event: Envelope) {
        self.catalog.settle(std::slice::from_ref(&event)).await;
        self.delivered.push(event);
    }

    async fn run(&mut self, action: Action) {
        let catalog = &self.catalog;
        match action {
            Action::Reserve(order, lines, unverified) => {
                let line = |(product, quantity)| (self.products[product], quantity);
                let lines: Vec<_> = lines.into_iter().map(line).collect();
                let order = self.orders[order];
                let reply = catalog.try_reserve(order, &lines, unverified).await;
                let is_limited = matches!(reply.unwrap(), StockReservation::Limited { .. });
                assert!(unverified || !is_limited, "a verified buyer was limited");
            }
            Action::Authorize(order) => {
                let event = catalog.authorized(self.orders[order]);
                self.settle(event).await;
            }
            Action::Cancel(order) => {
                let event = catalog.cancelled(self.orders[order]);
                self.settle(event).await;
            }
            Action::FailPayment(order) => {
                let event = catalog.payment_failed(self.orders[order]);
                self.settle(event).await;
            }
            Action::Redeliver(index) if !self.delivered.is_empty() => {
                let event = self.delivered[index % self.delivered.len()].clone();
                catalog.settle(&[event]).await;
            }
            Action::Redeliver(_) => {}
            Action::Expire => drop(catalog.expire().await),
            Action::AdvanceMinutes(minutes) => {
                catalog.advance(SignedDuration::from_mins(minutes));
            }
            Action::Open(product, count, left) => {
                open(catalog, self.products[product], count, left).await;
            }
            Action::Fold(product) => fold(catalog, self.products[product]).await,
            Action::CountStock(product) => {
                let id = self.products[product];
                let on_hand = catalog.stock(id).await + catalog.held(id).await;
                let reply = catalog.adjust(id, "set", on_hand).await;
                assert_eq!(reply["onHand"], on_hand);
            }
            Action::Concurrently(order) => self.run_concurrently(self.orders[order]).await,
        }
    }

    async fn run_concurrently(&mut self, order: OrderId) {
        let catalog = &self.catalog;
        let (authorized, cancelled) = ([catalog.authorized(order)], [catalog.cancelled(order)]);
        let lines = [(self.products[0], 1)];
        let unverified = order == self.orders[0];
        let _ = futures_util::join!(
            catalog.try_reserve(order, &lines, unverified),
            open(catalog, self.products[0], 2, 1),
            fold(catalog, self.products[0]),
            catalog.settle(&authorized),
            catalog.expire(),
            catalog.settle(&cancelled),
            catalog.settle(&authorized),
        );
        self.delivered.extend(authorized);
        self.delivered.extend(cancelled);
    }

    async fn check_goods(&self) -> Result<(), TestCaseError> {
        let mut reservations = self.catalog.reservations().await;
        reservations.retain(|reservation| reservation.has_goods());
        let unverified = reservations.iter();
        let unverified = unverified.filter(|one| one.unverified && one.status == Status::Held);
        let unverified: Vec<_> = unverified.flat_map(|one| one.lines.clone()).collect();
        for (product, put_in) in self.products.iter().zip(STOCKS) {
            let lines = reservations.iter().flat_map(|one| &one.lines);
            let lines = lines.filter(|line| line.product_id == *product);
            let reserved: u32 = lines.map(|line| line.quantity).sum();
            prop_assert_eq!(self.catalog.stock(*product).await + reserved, put_in);
            let held = reservations.iter();
            let held = held.filter(|one| one.status == Status::Held);
            let held = held.flat_map(|one| &one.lines);
            let held = held.filter(|line| line.product_id == *product);
            let held: u32 = held.map(|line| line.quantity).sum();
            prop_assert_eq!(self.catalog.held(*product).await, held);
            let held = unverified.iter();
            let held = held.filter(|line| line.product_id == *product);
            let held: u32 = held.map(|line| line.quantity).sum();
            prop_assert_eq!(self.catalog.held_unverified(*product).await, held);
            // Others buy meanwhile, which never leaves more to unverified buyers.
            prop_assert!(held <= (put_in * SHARE / 100).max(1), "{} held", held);
        }
        Ok(())
    }

    async fn check_events(&self) -> Result<(), TestCaseError> {
        let (mut sold_at, mut ends) = (BTreeMap::new(), BTreeMap::<_, u32>::new());
        let mut answered = BTreeSet::new();
        for event in self.catalog.table.events().await {
            let subject = event.subject.clone();
            match event.event_type.as_str() {
                "stock.committed" | "stock.commit_rejected" => {
                    let is_first = answered.insert((subject.clone(), event.causationid.clone()));
                    prop_assert!(is_first, "answered twice: {:?}", event);
                    if event.event_type == "stock.committed" {
                        sold_at.entry(subject).or_insert(event.time);
                    }
                }
                "stock.released" | "reservation.expired" => {
                    *ends.entry(subject).or_default() += 1;
                }
                _ => {}
            }
        }
        for reservation in self.catalog.reservations().await {
            let order_id = reservation.order_id.to_string();
            let sold_at = sold_at.get(&order_id);
            let in_time = sold_at.is_none_or(|at| *at < reservation.held_until);
            prop_assert!(in_time, "sold late: {:?}", reservation);
            let has_ended = matches!(reservation.status, Status::Released | Status::Expired);
            let announced = ends.get(&order_id).copied().unwrap_or(0);
            prop_assert_eq!(announced, u32::from(has_ended), "{:?}", reservation);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn goods_are_conserved(actions in prop::collection::vec(action(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut simulation = Simulation::new().await;
            for action in actions {
                simulation.run(action).await;
                simulation.check_goods().await?;
            }
            simulation.check_events().await
        })?;
    }
}
