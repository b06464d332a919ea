//! The story of the README, driven over HTTP and measured step by step.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use local::{Options, Shop, Source, template::Template};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Error, bill::Measurement, counts::Counts, instrument::metered, meter::Meter, tree::root,
};

/// How long nothing may have run until a step counts as over: longer than a
/// stream or a queue lets a record lie.
const QUIET: Duration = Duration::from_millis(400);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(90);
/// Of how many products the catalogue is from which is bought.
const PRODUCTS: usize = 60;
/// The password of everybody.
const PASSWORD: &str = "seven-otters-paint-the-moon";
/// What is logged, as in Lambda: the shop's own lines are not the functions'.
const LOGGED: &str = "info,local=off,cost=off,dynoxide=off,rustack_sqs_core=off,rustack_sns_core=off,rustack_ses_core=off,rustack_secretsmanager_core=off";

/// A shop that is measured.
pub struct Story {
    shop: Shop,
    meter: Arc<Meter>,
    http: reqwest::Client,
    /// What ran by the clock since the beginning.
    clock: std::sync::Mutex<Vec<Counts>>,
}

/// Counts the log lines of the functions; one line is one write.
struct CountLines(&'static OnceLock<Arc<Meter>>);

impl Write for CountLines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if let Some(meter) = self.0.get() {
            meter.logged(line.len());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LOGGED_TO: OnceLock<Arc<Meter>> = OnceLock::new();

impl Story {
    /// Starts a shop whose functions call AWS through a meter.
    ///
    /// # Errors
    /// When the shop does not start.
    pub async fn begin() -> Result<Self, Error> {
        let meter = Meter::start().await?;
        if LOGGED_TO.set(meter.clone()).is_ok() {
            runtime::log::write(LOGGED, || CountLines(&LOGGED_TO))?;
        }
        let functions = local::registry::functions();
        let functions = functions.into_iter().map(|one| metered(one, &meter));
        let template = Source::File(root().join("template.yaml"));
        let mut options = Options::new(template, functions.collect());
        options.environment = options.environment.with("AUTH_REQUESTS_PER_IP", "1000000");
        let shop = Shop::start(options).await?;
        for topic in &shop.template().topics {
            let of_topic = |one: &&local::template::Subscription| one.topic == topic.logical_id;
            let subscriptions = shop.template().subscriptions.iter().filter(of_topic);
            meter.subscribe(&topic.name, u64::try_from(subscriptions.count())?);
        }
        Ok(Self {
            shop,
            meter,
            http: reqwest::Client::new(),
            clock: std::sync::Mutex::default(),
        })
    }

    /// The template that the shop runs.
    pub fn template(&self) -> &Template {
        self.shop.template()
    }

    /// What ran by the clock until now, in parts.
    pub fn by_the_clock(&self) -> Counts {
        let mut all = Counts::default();
        let parts = self
            .clock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for part in parts.iter() {
            for (place, units) in &part.units {
                *all.units.entry(place.clone()).or_default() += *units;
            }
            for (call, count) in &part.calls {
                *all.calls.entry(call.clone()).or_default() += count;
            }
            for (label, runs) in &part.invocations {
                let all = all.invocations.entry(label.clone()).or_default();
                all.extend(runs);
            }
        }
        all
    }

    /// Waits until nothing runs any more; gives what was counted.
    ///
    /// # Errors
    /// When something runs for ever.
    pub async fn settle(&self) -> Result<Counts, Error> {
        let begun = Instant::now();
        while self.meter.quiet_for().is_none_or(|quiet| quiet < QUIET) {
            if begun.elapsed() > STEP_TIMEOUT {
                return Err("the shop does not come to rest".into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let counts = self.meter.take();
        let clock = counts.clone().only(true);
        self.clock
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(clock);
        Ok(counts.only(false))
    }

    /// Does a step some times, and counts.
    ///
    /// # Errors
    /// When the step fails.
    pub async fn measure<F, Fut>(&self, times: u32, mut step: F) -> Result<Measurement, Error>
    where
        F: FnMut(u32) -> Fut,
        Fut: Future<Output = Result<(), Error>>,
    {
        self.settle().await?;
        for time in 0..times {
            step(time).await?;
        }
        Ok(Measurement {
            times: f64::from(times),
            counts: self.settle().await?,
        })
    }

    /// Sends a request; gives the `data` of its reply.
    ///
    /// # Errors
    /// When the reply's status is another one.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        expected: u16,
    ) -> Result<Value, Error> {
        let url = format!("{}{path}", self.shop.url());
        let mut request = self.http.request(method.clone(), url);
        request = match token {
            Some("internal") => request.header(
                "x-internal-key",
                self.shop.internal_key().unwrap_or_default(),
            ),
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        if let Some(body) = body {
            request = request
                .header("idempotency-key", uuid::Uuid::new_v4().to_string())
                .json(body);
        }
        let reply = request.send().await?;
        let (status, text) = (reply.status().as_u16(), reply.text().await?);
        if status != expected {
            return Err(format!("{method} {path}: {status} instead of {expected}: {text}").into());
        }
        let reply: Value = serde_json::from_str(&text)?;
        Ok(if path.starts_with("/_local") {
            reply
        } else {
            reply["data"].clone()
        })
    }

    /// Fills the shelves from the sample catalogue; gives the products' ids.
    ///
    /// # Errors
    /// When the shop refuses something.
    pub async fn fill(&self) -> Result<Vec<String>, Error> {
        let sample = std::fs::read_to_string(root().join("tools/catalogue.json"))?;
        let sample: Value = serde_json::from_str(&sample)?;
        let mut categories = BTreeMap::new();
        for category in sample["categories"].as_array().into_iter().flatten() {
            let parent = category["parent"]
                .as_str()
                .and_then(|slug| categories.get(slug));
            let body = json!({ "name": category["name"], "description": category["description"],
                               "parentId": parent });
            let body = without_null(body);
            let made = self
                .call(
                    Method::POST,
                    "/api/categories",
                    Some("internal"),
                    Some(&body),
                    201,
                )
                .await?;
            let slug = category["slug"].as_str().unwrap_or_default().to_owned();
            categories.insert(slug, made["id"].clone());
        }
        let mut ids = Vec::new();
        for product in sample["products"].as_array().into_iter().flatten() {
            if ids.len() == PRODUCTS {
                break;
            }
            let mut body = product.clone();
            let slug = product["category"].as_str().unwrap_or_default();
            body["categoryId"] = categories.get(slug).cloned().unwrap_or_default();
            body["stock"] = json!(1000);
            body.as_object_mut().map(|body| body.remove("category"));
            let made = self
                .call(
                    Method::POST,
                    "/api/products",
                    Some("internal"),
                    Some(&body),
                    201,
                )
                .await?;
            ids.push(made["id"].as_str().unwrap_or_default().to_owned());
        }
        Ok(ids)
    }

    /// Registers somebody and waits for the mail; gives address and token.
    ///
    /// # Errors
    /// When that fails.
    pub async fn register(&self) -> Result<(String, String), Error> {
        let email = format!("ada-{}@example.com", uuid::Uuid::new_v4().simple());
        let body = json!({ "email": email, "password": PASSWORD, "name": "Ada Lovelace" });
        let made = self
            .call(Method::POST, "/api/auth/register", None, Some(&body), 201)
            .await?;
        self.mails(&email, 1).await?;
        let token = made["token"].as_str().unwrap_or_default().to_owned();
        Ok((email, token))
    }

    /// Logs somebody in.
    ///
    /// # Errors
    /// When that fails.
    pub async fn log_in(&self, email: &str) -> Result<(), Error> {
        let body = json!({ "email": email, "password": PASSWORD });
        self.call(Method::POST, "/api/auth/login", None, Some(&body), 200)
            .await
            .map(drop)
    }

    /// Gets a path that anybody may.
    ///
    /// # Errors
    /// When that fails.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.call(Method::GET, path, None, None, 200).await
    }

    /// Places an order of one line and waits, without asking the shop, until
    /// `mails` mails have come to its customer: the last step of an order.
    ///
    /// # Errors
    /// When that fails.
    pub async fn order(
        &self,
        (email, token): (&str, &str),
        product: &str,
        card: &str,
        mails: usize,
    ) -> Result<String, Error> {
        let body = json!({
            "items": [{ "productId": product, "quantity": 2 }],
            "shippingAddress": { "name": "Ada Lovelace", "line1": "1 Lamp Street",
                "city": "Springfield", "state": "OR", "postalCode": "97477", "country": "US" },
            "paymentMethod": card
        });
        let placed = self
            .call(Method::POST, "/api/orders", Some(token), Some(&body), 201)
            .await?;
        self.mails(email, mails).await?;
        Ok(placed["id"].as_str().unwrap_or_default().to_owned())
    }

    /// The state of an order.
    ///
    /// # Errors
    /// When that fails.
    pub async fn status(&self, token: &str, order: &str) -> Result<String, Error> {
        let path = format!("/api/orders/{order}");
        let order = self
            .call(Method::GET, &path, Some(token), None, 200)
            .await?;
        Ok(order["status"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for mails in the laptop's mailbox, which no function is asked for.
    async fn mails(&self, to: &str, expected: usize) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let mails = self.get(&format!("/_local/mailbox?to={to}")).await?;
            if mails
                .as_array()
                .is_some_and(|mails| mails.len() >= expected)
            {
                return Ok(());
            }
            if begun.elapsed() > STEP_TIMEOUT {
                return Err(format!("no mail number {expected} came").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops the shop.
    pub async fn end(self) {
        self.shop.stop().await;
    }
}

fn without_null(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}
