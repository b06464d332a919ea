//! The law of the service: whatever happens, and however often, what can be
//! ordered of a product, what is held and what is sold add up to what was put
//! in, nothing is sold late, and nothing is answered twice.

use std::collections::{BTreeMap, BTreeSet};

use catalog::domain::{Reservation, Status};
use contracts::Envelope;
use kernel::{OrderId, ProductId, SignedDuration};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::shop::Shop;

const STOCKS: [u32; 2] = [6, 4];
const ORDERS: usize = 4;

#[derive(Clone, Debug)]
enum Happens {
    Reserve(usize, Vec<(usize, u32)>),
    Authorize(usize),
    Cancel(usize),
    FailPayment(usize),
    /// An event that came before comes again.
    Repeat(usize),
    Expire,
    Wait(i64),
    /// Several of these at once.
    AtOnce(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    let order = 0..ORDERS;
    let lines = prop_oneof![
        (0..2_usize, 1..4_u32).prop_map(|line| vec![line]),
        (1..4_u32, 1..4_u32).prop_map(|(one, two)| vec![(0, one), (1, two)]),
    ];
    prop_oneof![
        4 => (order.clone(), lines).prop_map(|(order, lines)| Happens::Reserve(order, lines)),
        2 => order.clone().prop_map(Happens::Authorize),
        2 => order.clone().prop_map(Happens::Cancel),
        1 => order.clone().prop_map(Happens::FailPayment),
        2 => (0..50_usize).prop_map(Happens::Repeat),
        2 => Just(Happens::Expire),
        2 => (1..12_i64).prop_map(Happens::Wait),
        1 => order.prop_map(Happens::AtOnce),
    ]
}

struct World {
    shop: Shop,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    told: Vec<Envelope>,
}

impl World {
    async fn new() -> Self {
        let shop = Shop::open().await;
        let mut products = Vec::new();
        for stock in STOCKS {
            products.push(shop.product(stock).await);
        }
        Self {
            shop,
            products,
            orders: (0..ORDERS).map(|_| testkit::new_id::<OrderId>()).collect(),
            told: Vec::new(),
        }
    }

    async fn tell(&mut self, event: Envelope) {
        self.shop.tell(std::slice::from_ref(&event)).await;
        self.told.push(event);
    }

    async fn happen(&mut self, happening: Happens) {
        match happening {
            Happens::Reserve(order, lines) => {
                let line = |(product, quantity)| (self.products[product], quantity);
                let lines: Vec<_> = lines.into_iter().map(line).collect();
                self.shop.reserve(self.orders[order], &lines).await;
            }
            Happens::Authorize(order) => self.tell(self.shop.authorized(self.orders[order])).await,
            Happens::Cancel(order) => self.tell(self.shop.cancelled(self.orders[order])).await,
            Happens::FailPayment(order) => {
                self.tell(self.shop.payment_failed(self.orders[order]))
                    .await;
            }
            Happens::Repeat(index) if !self.told.is_empty() => {
                let event = self.told[index % self.told.len()].clone();
                self.shop.tell(&[event]).await;
            }
            Happens::Repeat(_) => {}
            Happens::Expire => drop(self.shop.expire().await),
            Happens::Wait(minutes) => self.shop.clock.advance(SignedDuration::from_mins(minutes)),
            Happens::AtOnce(order) => self.at_once(self.orders[order]).await,
        }
    }

    async fn at_once(&mut self, order: OrderId) {
        let shop = &self.shop;
        let events = [vec![shop.authorized(order)], vec![shop.cancelled(order)]];
        let lines = [(self.products[0], 1)];
        futures_util::join!(
            shop.reserve(order, &lines),
            shop.tell(&events[0]),
            shop.expire(),
            shop.tell(&events[1]),
            shop.tell(&events[0]),
        );
        self.told.extend(events.into_iter().flatten());
    }

    async fn check_goods(&self) -> Result<(), TestCaseError> {
        let kept: Vec<Reservation> = self
            .shop
            .table
            .items_of("RESERVATION#", "RESERVATION")
            .await;
        for (product, put_in) in self.products.iter().zip(STOCKS) {
            let out = kept
                .iter()
                .filter(|one| one.has_goods())
                .flat_map(|one| &one.lines);
            let out = out.filter(|line| line.product_id == *product);
            let out: u32 = out.map(|line| line.quantity).sum();
            prop_assert_eq!(self.shop.stock(*product).await + out, put_in);
        }
        Ok(())
    }

    async fn check_events(&self) -> Result<(), TestCaseError> {
        let kept: Vec<Reservation> = self
            .shop
            .table
            .items_of("RESERVATION#", "RESERVATION")
            .await;
        let events = self.shop.table.events().await;
        let mut first_sales = BTreeMap::new();
        for event in events
            .iter()
            .filter(|event| event.event_type == "stock.committed")
        {
            first_sales
                .entry(event.subject.clone())
                .or_insert(event.time);
        }
        for one in &kept {
            let sale = first_sales.get(&one.order_id.to_string());
            prop_assert!(
                sale.is_none_or(|at| *at < one.held_until),
                "sold late: {:?}",
                one
            );
        }
        let (mut answered, mut endings) = (BTreeSet::new(), BTreeMap::<_, u32>::new());
        for event in events {
            match event.event_type.as_str() {
                "stock.committed" | "stock.commit_rejected" => {
                    let once = answered.insert((event.subject.clone(), event.causationid.clone()));
                    prop_assert!(once, "answered twice: {:?}", event);
                }
                "stock.released" | "reservation.expired" => {
                    *endings.entry(event.subject.clone()).or_default() += 1;
                }
                _ => {}
            }
        }
        for one in kept {
            let ended = matches!(one.status, Status::Released | Status::Expired);
            let said = endings.get(&one.order_id.to_string()).copied().unwrap_or(0);
            prop_assert_eq!(said, u32::from(ended), "{:?}", one);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn goods_are_conserved(happenings in prop::collection::vec(happens(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for happening in happenings {
                world.happen(happening).await;
                world.check_goods().await?;
            }
            world.check_events().await
        })?;
    }
}
