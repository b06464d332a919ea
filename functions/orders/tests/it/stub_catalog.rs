//! A stub of catalog: answers Lambda's Invoke API on loopback as `reserve-stock`
//! does, with products in memory and with injected faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use contracts::{
    calls::{ReserveStock, Shortage, StockReservation},
    events::OrderLine,
    order_total,
};
use kernel::{Currency, Money, OrderId, ProductId, SignedDuration, Timestamp};
use testkit::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The function fails.
    FunctionError,
    /// Lambda fails.
    Status500,
    /// The connection closes before the function runs.
    ClosedBeforeRun,
    /// The connection closes after the function ran.
    ClosedAfterRun,
    /// The function runs, but its reply is held back until [`StubCatalog::resume`].
    SilentAfterRun,
    /// The reserved goods are not the requested ones.
    WrongGoods,
    /// It is of a version that does not check what an order comes to.
    Older,
    /// Others buy the same goods.
    Contended,
    /// The reply violates the contract.
    InvalidReply,
}

struct Product {
    price: Money,
    stock: u32,
}

#[derive(Default)]
struct State {
    products: BTreeMap<ProductId, Product>,
    /// The lines of each order, and until when they are held.
    reservations: BTreeMap<OrderId, (Vec<OrderLine>, Timestamp)>,
    expired: BTreeSet<OrderId>,
    /// A fault and the number of calls that it still affects.
    fault: Option<(Fault, u32)>,
    /// The order of each call.
    calls: Vec<OrderId>,
    /// What is left to unverified buyers, if that is limited.
    unverified_most: Option<u32>,
}

#[derive(Clone)]
pub(crate) struct StubCatalog {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    clock: Clock,
    /// Notified when a reply is held back.
    pub(crate) silent: Arc<Notify>,
    resumed: Arc<Notify>,
}

impl StubCatalog {
    pub(crate) async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let catalog = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            clock,
            silent: Arc::default(),
            resumed: Arc::default(),
        };
        let stub = catalog.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(stub.clone().answer(stream));
            }
        });
        catalog
    }

    pub(crate) fn add_product(&self, cents: i64, stock: u32) -> ProductId {
        self.add_product_in(Currency::USD, cents, stock)
    }

    pub(crate) fn add_product_in(&self, currency: Currency, minor: i64, stock: u32) -> ProductId {
        let id = testkit::new_id();
        self.add_product_as(id, Money::new(minor, currency).unwrap(), stock);
        id
    }

    pub(crate) fn add_product_as(&self, id: ProductId, price: Money, stock: u32) {
        let product = Product { price, stock };
        self.state.lock().unwrap().products.insert(id, product);
    }

    pub(crate) fn stock(&self, id: ProductId) -> u32 {
        self.state.lock().unwrap().products[&id].stock
    }

    pub(crate) fn set_stock(&self, id: ProductId, stock: u32) {
        let mut state = self.state.lock().unwrap();
        state.products.get_mut(&id).unwrap().stock = stock;
    }

    pub(crate) fn expire_reservations(&self) {
        let mut state = self.state.lock().unwrap();
        let reservations = std::mem::take(&mut state.reservations);
        for (order, (lines, _)) in reservations {
            state.expired.insert(order);
            for line in lines {
                state.products.get_mut(&line.product_id).unwrap().stock += line.quantity;
            }
        }
    }

    /// Limits what an unverified buyer may order of each product.
    pub(crate) fn limit_unverified(&self, most: u32) {
        self.state.lock().unwrap().unverified_most = Some(most);
    }

    /// Injects a fault into the next calls.
    pub(crate) fn fail(&self, fault: Fault, calls: u32) {
        self.state.lock().unwrap().fault = Some((fault, calls));
    }

    /// Sends the reply that is held back.
    pub(crate) fn resume(&self) {
        self.resumed.notify_one();
    }

    pub(crate) fn reservations(&self) -> Vec<OrderId> {
        let state = self.state.lock().unwrap();
        state.reservations.keys().copied().collect()
    }

    /// The order of each call so far.
    pub(crate) fn calls(&self) -> Vec<OrderId> {
        self.state.lock().unwrap().calls.clone()
    }

    async fn answer(self, mut stream: TcpStream) {
        let Some((head, body)) = read_request(&mut stream).await else {
            return;
        };
        assert!(
            head.starts_with("POST /2015-03-31/functions/reserve-stock/invocations "),
            "{head}"
        );
        let call: ReserveStock = serde_json::from_slice(&body).unwrap();
        let (fault, body) = self.reserve(&call);
        let reply = match fault {
            Some(Fault::ClosedBeforeRun | Fault::ClosedAfterRun) => return,
            Some(Fault::SilentAfterRun) => {
                self.silent.notify_one();
                self.resumed.notified().await;
                reply("200 OK", "", &body)
            }
            Some(Fault::Status500) => reply("500 Internal Server Error", "", "{}"),
            Some(Fault::FunctionError) => reply(
                "200 OK",
                "x-amz-function-error: Unhandled\r\n",
                r#"{"errorType":"panic","errorMessage":"secret detail"}"#,
            ),
            Some(Fault::InvalidReply) => reply("200 OK", "", r#"{"outcome":"maybe"}"#),
            Some(Fault::WrongGoods | Fault::Older | Fault::Contended) | None => {
                reply("200 OK", "", &body)
            }
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
    }

    fn reserve(&self, call: &ReserveStock) -> (Option<Fault>, String) {
        let mut state = self.state.lock().unwrap();
        state.calls.push(call.order_id);
        let fault = state.fault.take().map(|(fault, calls)| {
            if calls > 1 {
                state.fault = Some((fault, calls - 1));
            }
            fault
        });
        if matches!(
            fault,
            Some(Fault::FunctionError | Fault::Status500 | Fault::ClosedBeforeRun)
        ) {
            return (fault, String::new());
        }
        if fault == Some(Fault::Contended) {
            assert!(call.knows_contended);
            let reply = serde_json::to_string(&StockReservation::Contended);
            return (fault, reply.unwrap());
        }
        let mut reservation = reserve(
            &mut state,
            call,
            fault == Some(Fault::Older),
            self.clock.now(),
        );
        if let (Some(Fault::WrongGoods), StockReservation::Held { lines, .. }) =
            (fault, &mut reservation)
        {
            lines[0].quantity += 1;
        }
        (fault, serde_json::to_string(&reservation).unwrap())
    }
}

fn reserve(
    state: &mut State,
    call: &ReserveStock,
    is_older: bool,
    now: Timestamp,
) -> StockReservation {
    let held = |lines, held_until| StockReservation::Held { lines, held_until };
    if state.expired.contains(&call.order_id) {
        return StockReservation::Gone;
    }
    if let Some((lines, held_until)) = state.reservations.get(&call.order_id) {
        return held(lines.clone(), *held_until);
    }
    let available = |id| {
        state
            .products
            .get(id)
            .map(|product: &Product| product.stock)
    };
    let shortages: Vec<Shortage> = call
        .lines
        .iter()
        .filter(|line| available(&line.product_id).is_none_or(|stock| stock < line.quantity))
        .map(|line| Shortage {
            product_id: line.product_id,
            available: available(&line.product_id),
        })
        .collect();
    if !shortages.is_empty() {
        return StockReservation::Refused { shortages };
    }
    if let Some(most) = state.unverified_most.filter(|_| call.unverified) {
        let excesses = call.lines.iter().filter(|line| line.quantity > most);
        let excesses: Vec<Shortage> = excesses
            .map(|line| Shortage {
                product_id: line.product_id,
                available: Some(most),
            })
            .collect();
        if !excesses.is_empty() {
            return StockReservation::Limited { excesses };
        }
    }
    let lines = call.lines.iter().map(|line| OrderLine {
        product_id: line.product_id,
        name: "Lamp".into(),
        quantity: line.quantity,
        unit_price: state.products[&line.product_id].price,
    });
    let lines: Vec<OrderLine> = lines.collect();
    if call.knows_invalid_total
        && !is_older
        && let Err(error) = order_total(&lines)
    {
        return StockReservation::InvalidTotal { error };
    }
    for line in &lines {
        let product = state.products.get_mut(&line.product_id).unwrap();
        product.stock -= line.quantity;
    }
    let held_until = now + SignedDuration::from_mins(15);
    let reservation = (lines.clone(), held_until);
    state.reservations.insert(call.order_id, reservation);
    held(lines, held_until)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length: usize = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    while bytes.len() < head_end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, bytes[head_end..].to_vec()))
}
