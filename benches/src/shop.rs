//! The shop that the measured functions belong to: emulated services with data
//! that was entered through the shop's own API.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use local::{Options, Shop, Source};
use serde_json::{Value, json};
use shop_client::{Client, new_key};

use crate::Error;

/// Products in the list that is read, of which a page has 20.
const PRODUCTS: usize = 60;
/// Enough for every order.
const STOCK: u32 = 1_000_000;
const EMAIL: &str = "ada@example.com";
/// The source of the bcrypt peer contains its hash.
const PASSWORD: &str = "correct horse battery staple";

/// The functions whose sample events are used.
const EVENTS: [&str; 7] = [
    "get-product",
    "list-products",
    "log-in",
    "place-order",
    "register-user",
    "request-password-reset",
    "resend-verification",
];

/// A running shop with sample data.
pub(crate) struct SampleShop {
    shop: Shop,
    client: Client,
    pub(crate) product_id: String,
    user_id: String,
    events: BTreeMap<&'static str, Value>,
}

impl SampleShop {
    /// Starts the shop of the repository at `root` and fills it.
    pub(crate) async fn start(root: &Path) -> Result<Self, Error> {
        let mut shop = Self::open(root, true).await?;
        shop.fill().await;
        Ok(shop)
    }

    /// Starts an empty shop without triggers: in AWS the consequences of a
    /// request are processed on other machines, so they take no time from the
    /// function that answers it.
    pub(crate) async fn start_without_triggers(root: &Path) -> Result<Self, Error> {
        Self::open(root, false).await
    }

    async fn open(root: &Path, triggers: bool) -> Result<Self, Error> {
        let template = Source::File(root.join("template.yaml"));
        let mut options = Options::new(template, local::registry::functions());
        // All requests come from one address, and all orders from one account.
        options.environment = options
            .environment
            .with("AUTH_REQUESTS_PER_IP", "1000000")
            .with("ORDERS_PER_MINUTE", "1000000")
            .with("OPEN_ORDERS_PER_PERSON", "10000")
            .with("UNVERIFIED_SHELF_PERCENT", "100");
        options.triggers = triggers;
        let shop = Shop::start(options).await?;
        let mut events = BTreeMap::new();
        for name in EVENTS {
            let text = std::fs::read_to_string(root.join(format!("events/{name}.json")))?;
            events.insert(name, serde_json::from_str(&text)?);
        }
        Ok(Self {
            client: Client::new(shop.url()),
            shop,
            product_id: String::new(),
            user_id: String::new(),
            events,
        })
    }

    async fn fill(&mut self) {
        let key = self.shop.internal_key().unwrap_or_default();
        let internal = self.client.as_internal(key);
        let category = json!({"name": "Lamps", "description": "To see by"});
        let category = internal.post("/api/categories", &category, 201).await.id();
        for number in 0..PRODUCTS {
            let product = json!({
                "name": format!("Lamp {number}"),
                "description": "Brass, with a shade of opal glass, for a desk or a bedside. \
                    Takes one E27 bulb of up to 40 W; the flex is two metres long.",
                "price": 49.90, "stock": STOCK, "categoryId": category,
                "tags": ["brass", "desk", "warm"],
            });
            self.product_id = internal.post("/api/products", &product, 201).await.id();
        }
        self.user_id = self.register(EMAIL).await;
    }

    /// Registers a user and returns their id.
    pub(crate) async fn register(&self, email: &str) -> String {
        self.client.register(email, PASSWORD).await.id
    }

    /// The variables of a function, as the local shop sets them.
    pub(crate) fn variables(&self, function: &str) -> Result<BTreeMap<String, String>, Error> {
        let variables = self.shop.variables(function);
        let variables = variables.ok_or_else(|| format!("the template has no {function}"))?;
        Ok(variables
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// The memory size of a function in the template, in MB.
    pub(crate) fn memory_mb(&self, function: &str) -> Option<u32> {
        let function = self.shop.template().function(function)?;
        Some(function.memory_mb)
    }

    fn sample_event(&self, function: &str) -> Result<Value, Error> {
        let event = self.events.get(function).cloned();
        event.ok_or_else(|| format!("no sample event for {function}").into())
    }

    /// The sample event of a function with another body.
    pub(crate) fn event_with(&self, function: &str, body: &Value) -> Result<Bytes, Error> {
        let mut event = self.sample_event(function)?;
        event["body"] = body.to_string().into();
        Ok(event.to_string().into())
    }

    /// The sample event of a function, adapted to the data of this shop.
    pub(crate) fn event(&self, function: &str) -> Result<Bytes, Error> {
        let mut event = self.sample_event(function)?;
        match function {
            "get-product" => {
                let path = format!("/api/products/{}", self.product_id);
                event["pathParameters"]["id"] = self.product_id.clone().into();
                event["requestContext"]["http"]["path"] = path.clone().into();
                event["rawPath"] = path.into();
            }
            "list-products" => {
                event["rawQueryString"] = "limit=20".into();
                event["queryStringParameters"] = json!({"limit": "20"});
            }
            "log-in" => {
                let body = json!({"email": EMAIL, "password": PASSWORD});
                event["body"] = body.to_string().into();
            }
            "place-order" => {
                event["headers"]["idempotency-key"] = new_key().into();
                event["requestContext"]["authorizer"]["lambda"]["userId"] =
                    self.user_id.clone().into();
                let body = event["body"].as_str().ok_or("place-order has no body")?;
                let mut body: Value = serde_json::from_str(body)?;
                body["items"] = json!([{"productId": self.product_id, "quantity": 1}]);
                event["body"] = body.to_string().into();
            }
            _ => {}
        }
        Ok(event.to_string().into())
    }

    /// Stops the shop.
    pub(crate) async fn stop(self) {
        self.shop.stop().await;
    }
}
