//! The shop that the measured functions belong to: its embedded services, with
//! data that was put in through its own API.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use local::{Options, Shop, Source};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Failure;

/// Products in the list that is read; a page has 20.
const PRODUCTS: usize = 60;
/// What every order takes from.
const STOCK: u32 = 1_000_000;
const EMAIL: &str = "ada@example.com";
/// Beside the bcrypt peer's source stands the hash of it.
const PASSWORD: &str = "correct horse battery staple";

/// The functions whose sample events are used.
const EVENTS: [&str; 6] = [
    "get-product",
    "list-products",
    "log-in",
    "place-order",
    "request-password-reset",
    "resend-verification",
];

/// A running shop with data.
pub(crate) struct World {
    shop: Shop,
    client: reqwest::Client,
    pub(crate) product_id: String,
    user_id: String,
    events: BTreeMap<&'static str, Value>,
}

impl World {
    /// Starts the shop of the repository at `root`, and fills it.
    pub(crate) async fn start(root: &Path) -> Result<Self, Failure> {
        let mut world = Self::open(root, true).await?;
        world.fill().await?;
        Ok(world)
    }

    /// Starts an empty shop in which nothing happens by itself: what follows
    /// from a request does so on other machines in a cloud, and takes no time
    /// of the one that answers.
    pub(crate) async fn start_still(root: &Path) -> Result<Self, Failure> {
        Self::open(root, false).await
    }

    async fn open(root: &Path, triggers: bool) -> Result<Self, Failure> {
        let template = Source::File(root.join("template.yaml"));
        let mut options = Options::new(template, local::registry::functions());
        // All log-ins come from one address.
        options.environment = options.environment.with("AUTH_REQUESTS_PER_IP", "1000000");
        options.triggers = triggers;
        let shop = Shop::start(options).await?;
        let mut world = Self {
            shop,
            client: reqwest::Client::new(),
            product_id: String::new(),
            user_id: String::new(),
            events: BTreeMap::new(),
        };
        for name in EVENTS {
            let text = std::fs::read_to_string(root.join(format!("events/{name}.json")))?;
            world.events.insert(name, serde_json::from_str(&text)?);
        }
        Ok(world)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        let category = json!({"name": "Lamps", "description": "To see by"});
        let category = self.post("/api/categories", &category).await?;
        for number in 0..PRODUCTS {
            let product = json!({
                "name": format!("Lamp {number}"),
                "description": "Brass, with a shade of opal glass, for a desk or a bedside. \
                    Takes one E27 bulb of up to 40 W; the flex is two metres long.",
                "price": 49.90, "stock": STOCK, "categoryId": category["id"],
                "tags": ["brass", "desk", "warm"],
            });
            let product = self.post("/api/products", &product).await?;
            self.product_id = text(&product, "id")?;
        }
        self.user_id = self.register(EMAIL).await?;
        Ok(())
    }

    /// Makes an account; gives the person's id.
    pub(crate) async fn register(&self, email: &str) -> Result<String, Failure> {
        let person = json!({"email": email, "password": PASSWORD, "name": "Ada Marsh"});
        let signed_in = self.post("/api/auth/register", &person).await?;
        text(&signed_in["user"], "id")
    }

    /// An invocation of a function with another body than its sample event.
    pub(crate) fn event_with(&self, function: &str, body: &Value) -> Result<Bytes, Failure> {
        let event = self.events.get(function);
        let mut event = event
            .ok_or_else(|| format!("no event for {function}"))?
            .clone();
        event["body"] = body.to_string().into();
        Ok(event.to_string().into())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.shop.url());
        let mut request = self.client.request(Method::POST, url).json(body);
        if let Some(key) = self.shop.internal_key() {
            request = request.header("x-internal-key", key);
        }
        let response = request.send().await?;
        let status = response.status();
        let mut reply: Value = response.json().await?;
        match status.is_success() {
            true => Ok(reply["data"].take()),
            false => Err(format!("POST {path} was refused: {status} {reply}").into()),
        }
    }

    /// The variables of a function, as `local` gives them.
    pub(crate) fn variables(&self, function: &str) -> Result<BTreeMap<String, String>, Failure> {
        let variables = self.shop.variables(function);
        let variables = variables.ok_or_else(|| format!("the template has no {function}"))?;
        Ok(variables
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// The memory that the template gives a function, in MB.
    pub(crate) fn memory_mb(&self, function: &str) -> Option<u32> {
        let function = self.shop.template().function(function)?;
        Some(function.memory_mb)
    }

    /// The next invocation of a function: its sample event, made fit.
    pub(crate) fn event(&self, function: &str) -> Result<Bytes, Failure> {
        let mut event = self
            .events
            .get(function)
            .ok_or_else(|| format!("no event for {function}"))?
            .clone();
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
                event["body"] = json!({"email": EMAIL, "password": PASSWORD})
                    .to_string()
                    .into();
            }
            "place-order" => {
                event["headers"]["idempotency-key"] = uuid::Uuid::new_v4().to_string().into();
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

fn text(value: &Value, field: &str) -> Result<String, Failure> {
    let text = value[field].as_str();
    Ok(text
        .ok_or_else(|| format!("there is no {field}"))?
        .to_owned())
}
