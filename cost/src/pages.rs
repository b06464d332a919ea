//! Compares the cost of pages of products, read by `list-products` from a small
//! and from a large catalogue: it must not depend on the size.
//!
//! `create-product` produces both catalogues. Its transactions are recorded
//! instead of executed and then loaded in bulk into an embedded table, so that
//! the items are those of production and 100,000 products take a minute.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use dynoxide::{Database, ImportOptions, types::Item};
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use local::template::Table;
use runtime::Environment;
use serde::Serialize;
use serde_json::{Value, json};
use testkit::Client;
use tokio::net::TcpListener;

use crate::{Error, counts::Counts, instrument::metered, meter::Meter};

/// Products in the small catalogue.
pub const SMALL: usize = 1_000;
/// Products in the large catalogue.
pub const LARGE: usize = 100_000;
/// Concurrent requests that create products.
const CONCURRENCY: usize = 8;
/// Items per bulk import.
const BATCH_ITEMS: usize = 50_000;
/// Attempts of a request.
const ATTEMPTS_MAX: u32 = 10;
/// Pages before the one that counts as deep.
const DEEP: usize = 20;
/// Far above the largest request of a store.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Every product has one entry of each list. The lengths are pairwise coprime, so
/// that all combinations are about equally frequent in any catalogue.
const KINDS: [&str; 7] = [
    "lamp", "chair", "kettle", "jacket", "speaker", "tent", "rug",
];
const MAKERS: [&str; 5] = ["Harrowmere", "Forgeholt", "Pellmoor", "Quillane", "Osterby"];
const COLOURS: [&str; 4] = ["green", "amber", "slate", "crimson"];
const TAGS: [&str; 9] = [
    "bestseller",
    "gift",
    "family",
    "outdoor",
    "steel",
    "wool",
    "travel",
    "home",
    "new",
];

/// The cost of a page in both catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Page {
    /// Which page.
    pub what: &'static str,
    /// Read units in the small catalogue.
    pub units_small: f64,
    /// Read units in the large one.
    pub units_large: f64,
    /// Products on it in the small catalogue.
    pub products_small: f64,
    /// Products on it in the large catalogue.
    pub products_large: f64,
}

/// The pages to read: name, query without `limit`, and number of preceding pages.
fn queries(category: &str) -> Vec<(&'static str, String, usize)> {
    let of = |query: &str| query.to_owned();
    vec![
        ("newest", of(""), 0),
        ("newest, the 21st page", of(""), DEEP),
        ("of a category", format!("category={category}"), 0),
        ("of a tag", of("tag=gift"), 0),
        ("cheapest first", of("sort=price"), 0),
        ("cheapest first, the 21st page", of("sort=price"), DEEP),
        ("by name", of("sort=name"), 0),
        (
            "cheapest first, within prices",
            of("sort=price&minPrice=100&maxPrice=600"),
            0,
        ),
        ("with a word", of("search=lamp"), 0),
        ("with two words", of("search=green%20lamp"), 0),
        ("newest, within prices", of("minPrice=100&maxPrice=600"), 0),
        (
            "of a tag, in a category, within prices",
            format!("tag=gift&category={category}&minPrice=100&maxPrice=900"),
            0,
        ),
    ]
}

/// Stands in for DynamoDB while products are created.
struct Recorder {
    items: Mutex<Vec<Item>>,
    category: Value,
}

/// Records the items of transactions and knows a single category.
async fn record(State(recorder): State<Arc<Recorder>>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target").cloned();
    let target = target.as_ref().and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    let operation = operation.unwrap_or_default().to_owned();
    let Ok(body) = to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reply = match operation.as_str() {
        "GetItem" if request["Key"]["pk"]["S"] == "CATEGORIES" => {
            json!({"Item": recorder.category})
        }
        "GetItem" => json!({}),
        "TransactWriteItems" => {
            let writes = request["TransactItems"].as_array().into_iter().flatten();
            let puts = writes.filter_map(|write| write["Put"]["Item"].as_object());
            // Events are not part of a catalogue: they expire after 30 days.
            let puts = puts.filter(|item| !item.contains_key("event"));
            let items = puts.map(|item| serde_json::from_value(Value::Object(item.clone())));
            let Ok(items) = items.collect::<Result<Vec<Item>, _>>() else {
                return StatusCode::BAD_REQUEST.into_response();
            };
            let mut all = recorder
                .items
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.extend(items);
            json!({})
        }
        _ => return StatusCode::NOT_IMPLEMENTED.into_response(),
    };
    Response::new(Body::from(reply.to_string()))
}

/// The body that creates the product with a number.
fn product(number: usize, category: &str) -> Value {
    let of = |list: &[&'static str], step: usize| list[(number / step) % list.len()];
    let (kind, maker, colour) = (of(&KINDS, 1), of(&MAKERS, 1), of(&COLOURS, 1));
    // Spread over $1.00 to $1,000.00.
    let cents = 100 + number.wrapping_mul(7_919) % 99_900;
    let price: Value =
        serde_json::from_str(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap_or_default();
    json!({
        "name": format!("{maker} {colour} {kind} {number}"),
        "description": "Made to be used every day and repaired when it breaks.",
        "price": price, "currency": "USD", "categoryId": category, "stock": 100,
        "tags": [of(&TAGS, 1), "catalogue"]
    })
}

fn environment(address: &str, table: &str) -> Environment {
    [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", address),
        ("TABLE", table),
        ("CURSOR_KEY", "the key of the cursors of a measurement"),
        ("SHOP_CURRENCY", "USD"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// The items of a catalogue with a number of products.
async fn items(products: usize, table: &str, category: &str) -> Result<Vec<Item>, Error> {
    let text = |text: &str| json!({ "S": text });
    let recorder = Arc::new(Recorder {
        items: Mutex::default(),
        category: json!({
            "pk": text("CATEGORIES"), "sk": text(&format!("CATEGORY#{category}")),
            "id": text(category), "name": text("Things"),
            "created_at": text("2026-01-05T12:00:00Z")
        }),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(record).with_state(recorder.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let function = catalog::api::create_product::function();
    let handler = function.start(environment(&address, table)).await?;
    let client = Client::new(handler).as_internal();
    let created = stream::iter(0..products).map(|number| {
        let (client, body) = (client.clone(), product(number, category));
        tokio::spawn(async move {
            let path = "/api/products";
            let reply =
                send_with_retries(&client, Method::POST, path, Some(body.to_string()), || ());
            reply.await.map(drop)
        })
    });
    let mut created = created.buffer_unordered(CONCURRENCY);
    while let Some(one) = created.next().await {
        one??;
    }
    server.abort();
    let mut all = recorder
        .items
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *all))
}

/// Repeats a request while the function is unavailable, because its calls may
/// time out on a busy machine. `before` is called before each attempt.
async fn send_with_retries(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<String>,
    before: impl Fn(),
) -> Result<Value, Error> {
    for _ in 0..ATTEMPTS_MAX {
        before();
        let sent = client.exchange(method.clone(), path, body.clone());
        let reply = sent.await;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        if reply.status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(format!("{method} {path}: {}", reply.body).into());
        }
    }
    Err(format!("{method} {path}: unavailable after {ATTEMPTS_MAX} attempts").into())
}

/// Loads items into a new table with the schema of the template.
fn load(table: &Table, mut items: Vec<Item>, file: &str) -> Result<Database, Error> {
    let database = Database::new(file)?;
    database.enable_bulk_loading()?;
    let definition = table.definition.clone();
    database.create_table(serde_json::from_value(definition)?)?;
    let options = || ImportOptions {
        record_streams: false,
        set_cached_at: false,
    };
    while !items.is_empty() {
        let rest = items.split_off(items.len().min(BATCH_ITEMS));
        database.import_items(&table.name, items, options())?;
        items = rest;
    }
    database.disable_bulk_loading()?;
    Ok(database)
}

/// The cost of each page in a catalogue: its name, read units and products.
async fn read(products: usize, table: &Table) -> Result<Vec<(&'static str, f64, f64)>, Error> {
    let category = "01936d30-0000-7000-8000-00000000ca7e";
    let items = items(products, &table.name, category).await?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("catalogue.sqlite");
    let (shape, file) = (table.clone(), file.to_string_lossy().into_owned());
    let database = tokio::task::spawn_blocking(move || load(&shape, items, &file)).await??;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(dynoxide::server::serve_on(listener, database));
    let meter = Meter::start().await?;
    let function = metered(catalog::api::list_products::function(), &meter);
    let handler = function.start(environment(&address, &table.name)).await?;
    let client = Client::new(handler);
    let mut costs = Vec::new();
    for (what, query, preceding) in queries(category) {
        let (mut cursor, mut found) = (String::new(), 0);
        let mut counts = Counts::default();
        for _ in 0..=preceding {
            let path = format!("/api/products?limit=20&{query}{cursor}");
            let reset = || drop(meter.take());
            let reply = send_with_retries(&client, Method::GET, &path, None, reset).await?;
            counts = meter.take();
            found = reply["data"].as_array().map_or(0, Vec::len);
            let next = reply["meta"]["pagination"]["nextCursor"].as_str();
            cursor = next.map_or_else(String::new, |next| format!("&cursor={next}"));
        }
        let found = f64::from(u32::try_from(found)?);
        costs.push((what, counts.total().read, found));
    }
    server.abort();
    Ok(costs)
}

/// Reads every page from both catalogues.
///
/// # Errors
/// If a catalogue cannot be created or read.
pub async fn compare(table: &Table, large: usize) -> Result<Vec<Page>, Error> {
    let of_small = read(SMALL, table).await?;
    let of_large = read(large, table).await?;
    let both = of_small.into_iter().zip(of_large);
    Ok(both
        .map(|((what, small, few), (_, large, many))| Page {
            what,
            units_small: small,
            units_large: large,
            products_small: few,
            products_large: many,
        })
        .collect())
}
