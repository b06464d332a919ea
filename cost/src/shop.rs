//! A local shop whose functions call AWS through a meter, driven over HTTP.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use local::{Options, Shop, Source, template::Event};
use serde_json::{Value, json};
use shop_client::{Account, Client, eventually, new_email, order_of};

use crate::{
    Error,
    bill::Measurement,
    counts::{Counts, SCHEDULED, is_scheduled},
    instrument::metered,
    meter::Meter,
    tree::root,
};

/// How long no function may have run for an action to count as finished: longer
/// than a stream or a queue holds a record back.
const IDLE_TIME: Duration = Duration::from_millis(400);
/// The interval of the schedules that are measured. Those with longer ones cost
/// next to nothing.
const SCHEDULE_INTERVAL: Duration = Duration::from_secs(60);
/// The products in the catalogue.
const PRODUCTS: usize = 60;
/// The password of all users.
const PASSWORD: &str = "seven-otters-paint-the-moon";
/// What functions log in Lambda; the lines of the local shop itself are not
/// theirs.
const LOG_LEVELS: &str = "info,local=off,cost=off,dynoxide=off,rustack_sqs_core=off,rustack_sns_core=off,rustack_ses_core=off,rustack_secretsmanager_core=off";

/// A running shop and its meter.
pub struct MeteredShop {
    shop: Shop,
    meter: Arc<Meter>,
    /// An anonymous client.
    pub client: Client,
    internal: Client,
    scheduled: Mutex<Counts>,
}

/// Counts the log lines of the functions, each of which is one write.
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

static LOG_METER: OnceLock<Arc<Meter>> = OnceLock::new();

impl MeteredShop {
    /// Starts a shop.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start() -> Result<Self, Error> {
        let meter = Meter::start().await?;
        if LOG_METER.set(meter.clone()).is_ok() {
            runtime::log::write(LOG_LEVELS, || CountLines(&LOG_METER))?;
        }
        let functions = local::registry::functions();
        let functions = functions.into_iter().map(|one| metered(one, &meter));
        let template = Source::File(root().join("template.yaml"));
        let mut options = Options::new(template, functions.collect());
        options.environment = options
            .environment
            .with("AUTH_REQUESTS_PER_IP", "1000000")
            .with("ORDERS_PER_MINUTE", "1000000")
            .with("OPEN_ORDERS_PER_PERSON", "10000");
        let shop = Shop::start(options).await?;
        for topic in &shop.template().topics {
            let subscriptions = shop.template().subscriptions.iter();
            let subscriptions = subscriptions.filter(|one| one.topic == topic.logical_id);
            meter.subscribe(&topic.name, u64::try_from(subscriptions.count())?);
        }
        let client = Client::new(shop.url());
        let internal = client.as_internal(shop.internal_key().unwrap_or_default());
        Ok(Self {
            shop,
            meter,
            client,
            internal,
            scheduled: Mutex::default(),
        })
    }

    /// Waits until no function runs any more; returns what was counted since
    /// the last time, without scheduled invocations.
    pub async fn settle(&self) -> Counts {
        eventually("no function is running", async || {
            let idle = self.meter.idle_for();
            idle.is_some_and(|idle| idle >= IDLE_TIME).then_some(())
        })
        .await;
        let counts = self.meter.take();
        let scheduled = counts.clone().only(is_scheduled);
        self.lock_scheduled().merge(scheduled);
        counts.only(|label| !is_scheduled(label))
    }

    /// Repeats an action and counts what it consumes.
    pub async fn measure<F, Fut>(&self, times: u32, mut action: F) -> Measurement
    where
        F: FnMut(usize) -> Fut,
        Fut: Future<Output = ()>,
    {
        self.settle().await;
        for (index, _) in (0..times).enumerate() {
            action(index).await;
        }
        Measurement {
            times: f64::from(times),
            counts: self.settle().await,
        }
    }

    /// Ends the warm-up: forgets the scheduled invocations so far, the first of
    /// which run when the shop starts.
    pub async fn end_warm_up(&self) {
        self.settle().await;
        *self.lock_scheduled() = Counts::default();
    }

    fn lock_scheduled(&self) -> MutexGuard<'_, Counts> {
        self.scheduled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every function that runs once a minute has done so; returns
    /// what scheduled invocations have consumed.
    pub async fn scheduled(&self) -> Counts {
        let functions = self.shop.template().functions.iter().filter(|function| {
            function.events.iter().any(|event| {
                matches!(event, Event::Schedule(one) if one.enabled && one.every == SCHEDULE_INTERVAL)
            })
        });
        let labels: Vec<String> = functions
            .map(|function| format!("{}{SCHEDULED}", function.code_name))
            .collect();
        eventually("every schedule has fired", async || {
            self.settle().await;
            let scheduled = self.lock_scheduled();
            let mut labels = labels.iter();
            labels
                .all(|label| scheduled.invocations.contains_key(label))
                .then(|| scheduled.clone())
        })
        .await
    }

    /// Loads the first products of the sample catalogue; returns their ids.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub async fn seed(&self) -> Result<Vec<String>, Error> {
        let catalogue = std::fs::read_to_string(root().join("tools/catalogue.json"))?;
        let catalogue: Value = serde_json::from_str(&catalogue)?;
        let mut categories = BTreeMap::new();
        for category in catalogue["categories"].as_array().into_iter().flatten() {
            let mut body =
                json!({ "name": category["name"], "description": category["description"] });
            let parent = category["parent"].as_str();
            if let Some(parent) = parent.and_then(|slug| categories.get(slug)) {
                body["parentId"] = json!(parent);
            }
            let created = self.internal.post("/api/categories", &body, 201).await;
            let slug = category["slug"].as_str().unwrap_or_default();
            categories.insert(slug.to_owned(), created.id());
        }
        let products = catalogue["products"].as_array().into_iter().flatten();
        let mut ids = Vec::new();
        for product in products.take(PRODUCTS) {
            let mut body = product.clone();
            let slug = product["category"].as_str().unwrap_or_default();
            body["categoryId"] = json!(categories.get(slug));
            body["stock"] = json!(1000);
            body.as_object_mut().map(|body| body.remove("category"));
            ids.push(self.internal.post("/api/products", &body, 201).await.id());
        }
        Ok(ids)
    }

    /// Registers a user and waits for the mail.
    pub async fn register(&self) -> Account {
        let account = self.client.register(&new_email(), PASSWORD).await;
        self.wait_for_mails(&account.email, 1).await;
        account
    }

    /// Registers users who have verified their address, as most customers have.
    pub async fn verified_customers(&self, count: u32) -> Vec<Account> {
        let mut customers = Vec::new();
        for _ in 0..count {
            let account = self.register().await;
            let mails = self.client.mails(&account.email, "verify").await;
            let mail = mails.and_then(|mails| mails.into_iter().next());
            let text = mail.as_ref().and_then(|mail| mail["text"].as_str());
            let link = text.and_then(|text| text.split_once("token="));
            let token = link.and_then(|(_, rest)| rest.split_whitespace().next());
            let body = json!({ "token": token });
            let path = "/api/auth/verify-email";
            account.client.post(path, &body, 200).await;
            customers.push(account);
        }
        customers
    }

    /// Logs a user in.
    pub async fn log_in(&self, account: &Account) {
        self.client.log_in(&account.email, PASSWORD, 200).await;
    }

    /// Places an order of two units and waits until its customer has received
    /// `mails` mails, the last of which ends the order. The functions are not
    /// asked for its status, which would be measured with it.
    pub async fn order(
        &self,
        customer: &Account,
        product: &str,
        payment_method: &str,
        mails: usize,
    ) -> String {
        let order = order_of(&[(product, 2)], payment_method);
        let placed = customer.client.place_order(&order, 201).await;
        self.wait_for_mails(&customer.email, mails).await;
        placed.id()
    }

    /// The mailbox belongs to the local shop: reading it invokes no function.
    async fn wait_for_mails(&self, to: &str, expected: usize) {
        eventually("a mail arrives", async || {
            let mails = self.client.mails(to, "").await?;
            (mails.len() >= expected).then_some(())
        })
        .await;
    }

    /// Stops the shop.
    pub async fn stop(self) {
        self.shop.stop().await;
    }
}
