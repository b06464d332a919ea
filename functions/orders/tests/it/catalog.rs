//! A peer of the real SDK client: answers Lambda's Invoke API on loopback as
//! the catalog's `reserve-stock` would, from a small stock in memory, and with
//! the faults that a network and a function have.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use contracts::{
    calls::{ReserveStock, Shortage, StockReservation},
    events::OrderLine,
};
use kernel::{Currency, Money, OrderId, ProductId, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What goes wrong with the next calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The function fails.
    FunctionError,
    /// Lambda fails.
    Status500,
    /// The connection is closed before the function ran.
    ClosedBefore,
    /// The connection is closed after it ran: the answer is lost.
    ClosedAfter,
    /// The answer never comes, after the function ran.
    SilentAfter,
    /// What is held is not what was asked for.
    OtherGoods,
    /// The answer is not in the contract.
    Nonsense,
}

struct Product {
    price: Money,
    stock: u32,
}

#[derive(Default)]
struct State {
    products: BTreeMap<ProductId, Product>,
    holds: BTreeMap<OrderId, Vec<OrderLine>>,
    gone: BTreeSet<OrderId>,
    /// A fault and how many calls it still hits.
    fault: Option<(Fault, u32)>,
    /// The orders that asked, one a call.
    asked: Vec<OrderId>,
}

/// The catalog's stand-in.
#[derive(Clone)]
pub(crate) struct Catalog {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    /// Told when a call was kept without an answer.
    pub(crate) silent: Arc<Notify>,
}

impl Catalog {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let catalog = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            silent: Arc::default(),
        };
        let peer = catalog.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(peer.clone().answer(stream));
            }
        });
        catalog
    }

    /// A product with so many cents and pieces.
    pub(crate) fn stock(&self, cents: i64, stock: u32) -> ProductId {
        self.stock_in(Currency::USD, cents, stock)
    }

    pub(crate) fn stock_in(&self, currency: Currency, minor: i64, stock: u32) -> ProductId {
        let id = testkit::new_id::<ProductId>();
        self.stock_as(id, Money::new(minor, currency).unwrap(), stock);
        id
    }

    pub(crate) fn stock_as(&self, id: ProductId, price: Money, stock: u32) {
        self.state
            .lock()
            .unwrap()
            .products
            .insert(id, Product { price, stock });
    }

    pub(crate) fn left(&self, id: ProductId) -> u32 {
        self.state.lock().unwrap().products[&id].stock
    }

    pub(crate) fn restock(&self, id: ProductId, stock: u32) {
        self.state
            .lock()
            .unwrap()
            .products
            .get_mut(&id)
            .unwrap()
            .stock = stock;
    }

    /// Lets every hold run out.
    pub(crate) fn expire_holds(&self) {
        let mut state = self.state.lock().unwrap();
        let holds = std::mem::take(&mut state.holds);
        for (order, lines) in holds {
            state.gone.insert(order);
            for line in lines {
                state.products.get_mut(&line.product_id).unwrap().stock += line.quantity;
            }
        }
    }

    pub(crate) fn fail(&self, fault: Fault, calls: u32) {
        self.state.lock().unwrap().fault = Some((fault, calls));
    }

    pub(crate) fn holds(&self) -> Vec<OrderId> {
        self.state.lock().unwrap().holds.keys().copied().collect()
    }

    pub(crate) fn asked(&self) -> Vec<OrderId> {
        self.state.lock().unwrap().asked.clone()
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
        let (fault, answer) = self.reserve(&call);
        let reply = match fault {
            Some(Fault::ClosedBefore | Fault::ClosedAfter) => return,
            Some(Fault::SilentAfter) => {
                self.silent.notify_one();
                return std::future::pending().await;
            }
            Some(Fault::Status500) => reply("500 Internal Server Error", "", "{}"),
            Some(Fault::FunctionError) => reply(
                "200 OK",
                "x-amz-function-error: Unhandled\r\n",
                r#"{"errorType":"panic","errorMessage":"secret detail"}"#,
            ),
            Some(Fault::Nonsense) => reply("200 OK", "", r#"{"outcome":"maybe"}"#),
            Some(Fault::OtherGoods) | None => reply("200 OK", "", &answer),
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
    }

    fn reserve(&self, call: &ReserveStock) -> (Option<Fault>, String) {
        let mut state = self.state.lock().unwrap();
        state.asked.push(call.order_id);
        let fault = state.fault.take().map(|(fault, calls)| {
            if calls > 1 {
                state.fault = Some((fault, calls - 1));
            }
            fault
        });
        if matches!(
            fault,
            Some(Fault::FunctionError | Fault::Status500 | Fault::ClosedBefore)
        ) {
            return (fault, String::new());
        }
        let mut answer = hold(&mut state, call);
        if let (Some(Fault::OtherGoods), StockReservation::Held { lines, .. }) =
            (fault, &mut answer)
        {
            lines[0].quantity += 1;
        }
        (fault, serde_json::to_string(&answer).unwrap())
    }
}

fn hold(state: &mut State, call: &ReserveStock) -> StockReservation {
    let held = |lines| StockReservation::Held {
        lines,
        held_until: "2026-01-05T12:15:00Z".parse::<Timestamp>().unwrap(),
    };
    if state.gone.contains(&call.order_id) {
        return StockReservation::Gone;
    }
    if let Some(lines) = state.holds.get(&call.order_id) {
        return held(lines.clone());
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
    let mut lines = Vec::new();
    for line in &call.lines {
        let product = state.products.get_mut(&line.product_id).unwrap();
        product.stock -= line.quantity;
        lines.push(OrderLine {
            product_id: line.product_id,
            name: "a thing".into(),
            quantity: line.quantity,
            unit_price: product.price,
        });
    }
    state.holds.insert(call.order_id, lines.clone());
    held(lines)
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
