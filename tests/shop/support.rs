//! The client that the tests use, and the shop that they run against.

use std::time::{Duration, Instant};

use local::Shop;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// How long something that happens by events may take before a test fails.
/// The promise is 5 s on a quiet machine. A CI machine may stand still for so
/// long that a message fails once, and then it comes again after a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks at something that is still under way.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Like all that a person gives here, it has a mark in it: tools/scan_log.py
/// looks for it in the log of the shop.
pub(crate) const PASSWORD: &str = "canary-otters-paint-the-moon";

/// The internal key of a shop that is told no other.
const INTERNAL_KEY_DEFAULT: &str = "local-internal-key";

/// The internal key of a shop that a test starts for itself.
pub(crate) const fn internal_key() -> &'static str {
    INTERNAL_KEY_DEFAULT
}

/// Where the shop is.
struct Target {
    base: String,
    internal_key: String,
}

static TARGET: OnceCell<Target> = OnceCell::const_new();

async fn target() -> &'static Target {
    TARGET
        .get_or_init(|| async {
            let set = |name: &str| {
                runtime::Environment::of_process()
                    .get(name)
                    .map(str::to_owned)
            };
            match set("BASE_URL") {
                Some(url) => Target {
                    base: url.trim_end_matches('/').to_owned(),
                    internal_key: set("INTERNAL_KEY")
                        .unwrap_or_else(|| INTERNAL_KEY_DEFAULT.into()),
                },
                None => Target {
                    base: start_here().await,
                    internal_key: INTERNAL_KEY_DEFAULT.into(),
                },
            }
        })
        .await
}

/// Whether the tests run against a shop that was started elsewhere.
pub(crate) fn elsewhere() -> bool {
    runtime::Environment::of_process().get("BASE_URL").is_some()
}

/// Starts a shop in this process, on a thread of its own: each test has a
/// runtime that ends with it, and the shop must outlive them all.
async fn start_here() -> String {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let shop = Shop::start(crate::process::options())
                .await
                .expect("the shop starts");
            send.send(shop.url().to_owned()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.await.expect("the shop starts")
}

/// A reply, read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as it came: numbers with the digits they were sent with.
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn data(&self) -> &Value {
        &self.body["data"]
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        errors
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect()
    }
}

/// Somebody who calls the shop.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

impl Client {
    /// Nobody.
    pub(crate) async fn anonymous() -> Self {
        Self::at(&target().await.base)
    }

    /// Nobody, at a certain shop.
    pub(crate) fn at(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .unwrap();
        Self {
            http,
            base: base.to_owned(),
            headers: HeaderMap::new(),
        }
    }

    /// A machine client.
    pub(crate) async fn internal() -> Self {
        let key = &target().await.internal_key;
        Self::anonymous().await.with("x-internal-key", key)
    }

    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .headers
            .insert(name, HeaderValue::from_str(value).unwrap());
        client
    }

    pub(crate) fn bearer(&self, token: &Value) -> Self {
        self.with(
            "authorization",
            &format!("Bearer {}", token.as_str().unwrap()),
        )
    }

    #[track_caller]
    pub(crate) fn get(
        &self,
        path: &str,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::GET, path, None, expected)
    }

    #[track_caller]
    pub(crate) fn post(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::POST, path, Some(body.to_string()), expected)
    }

    #[track_caller]
    pub(crate) fn put(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::PUT, path, Some(body.to_string()), expected)
    }

    #[track_caller]
    pub(crate) fn patch(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::PATCH, path, Some(body.to_string()), expected)
    }

    /// Sends a request and fails the test when the status is another.
    #[track_caller]
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let caller = std::panic::Location::caller();
        let line = format!("{caller}: {method} {path}");
        let request = self.request(method, path, body);
        async move {
            let reply = request
                .await
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(reply.status.as_u16(), expected, "{line}: {}", reply.body);
            reply
        }
    }

    /// Sends a request, whatever comes of it.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> impl Future<Output = reqwest::Result<Reply>> + Send + use<> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        // After the default, so that a test can send another content type.
        let request = request.headers(self.headers.clone());
        let path = path.to_owned();
        async move {
            let _turn = crate::turn::take().await;
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let text = response.text().await?;
            if status.as_u16() >= 400 {
                crate::process::assert_no_secret(&path, &text);
            }
            let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
            Ok(Reply {
                status,
                headers,
                text,
                body,
            })
        }
    }
}

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) client: Client,
    pub(crate) tokens: Value,
}

/// An address that nobody has had.
pub(crate) fn new_email() -> String {
    format!("canary-{}@example.com", Uuid::new_v4().simple())
}

/// A new idempotency key.
pub(crate) fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// Registers somebody new at the shop.
pub(crate) async fn register() -> Person {
    register_at(&Client::anonymous().await).await
}

/// Registers somebody new through a client.
pub(crate) async fn register_at(client: &Client) -> Person {
    let email = new_email();
    let body = json!({ "email": email, "password": PASSWORD, "name": "Canary Person" });
    let reply = client.post("/api/auth/register", &body, 201).await;
    let tokens = reply.data().clone();
    let id = tokens["user"]["id"].as_str().unwrap().to_owned();
    Person {
        id,
        email,
        client: client.bearer(&tokens["token"]),
        tokens,
    }
}

/// A category and a product in it with so much stock; gives the product's id.
pub(crate) async fn new_product(internal: &Client, price: &str, stock: u32) -> String {
    let name = format!("Thing {}", Uuid::new_v4().simple());
    let category = internal
        .post("/api/categories", &json!({ "name": name }), 201)
        .await;
    let price: Value = serde_json::from_str(price).unwrap();
    let body = json!({
        "name": name, "description": "A thing to test with.", "price": price, "currency": "USD",
        "categoryId": category.data()["id"], "stock": stock, "tags": ["test"]
    });
    let product = internal.post("/api/products", &body, 201).await;
    product.data()["id"].as_str().unwrap().to_owned()
}

/// The body of an order.
pub(crate) fn order_of(lines: &[(&str, u32)], payment_method: &str) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|(product, quantity)| json!({ "productId": product, "quantity": quantity }))
        .collect();
    json!({
        "items": items,
        "shippingAddress": {
            "name": "Canary Person", "line1": "1 Canary Street", "city": "Springfield",
            "state": "OR", "postalCode": "97477", "country": "US"
        },
        "paymentMethod": payment_method
    })
}

/// Looks until `done` gives something; fails the test when it does not in time.
pub(crate) async fn eventually<T, F, Fut>(what: &str, mut done: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(found) = done().await {
            return found;
        }
        assert!(begun.elapsed() < SETTLED_WITHIN, "not in time: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until an order has a status that is final; gives the order.
pub(crate) async fn settled(client: &Client, order_id: &str) -> Value {
    let path = format!("/api/orders/{order_id}");
    eventually("the order settles", || async {
        let order = client.get(&path, 200).await.data().clone();
        let status = order["status"].as_str().unwrap().to_owned();
        ["confirmed", "payment_failed", "cancelled"]
            .contains(&status.as_str())
            .then_some(order)
    })
    .await
}

/// What can be ordered of a product now.
pub(crate) async fn stock_of(product_id: &str) -> u64 {
    let client = Client::anonymous().await;
    let product = client
        .get(&format!("/api/products/{product_id}"), 200)
        .await;
    product.data()["stock"].as_u64().unwrap()
}

/// The mails to an address whose subject has a word in it. `None` when the
/// shop has no mailbox to look into: a laptop's has one, and `MAILBOX_URL`
/// names that of another.
pub(crate) async fn mails(client: &Client, to: &str, word: &str) -> Option<Vec<Value>> {
    let environment = runtime::Environment::of_process();
    let elsewhere = environment.get("MAILBOX_URL").map(Client::at);
    let reply = elsewhere
        .as_ref()
        .unwrap_or(client)
        .request(Method::GET, &format!("/_local/mailbox?to={to}"), None)
        .await
        .unwrap();
    if reply.status == StatusCode::NOT_FOUND {
        return None;
    }
    let mails = reply.body.as_array().expect("a list of mails").iter();
    let about = |mail: &&Value| {
        mail["subject"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .contains(word)
    };
    Some(mails.filter(about).cloned().collect())
}
