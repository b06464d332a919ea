//! What customers and operators do at a shop.

use serde_json::{Value, json};

use crate::{Client, Method, Reply, StatusCode, eventually, unique};

/// The statuses that an order never leaves.
const FINAL_STATUSES: [&str; 3] = ["confirmed", "payment_failed", "cancelled"];

/// A registered user and their first session.
pub struct Account {
    /// The user's id.
    pub id: String,
    /// The address they registered with.
    pub email: String,
    /// A client that sends their access token.
    pub client: Client,
    /// The reply to the registration: the user and the tokens.
    pub tokens: Value,
}

/// An address that no account has had.
pub fn new_email() -> String {
    format!("canary-{}@example.com", unique().simple())
}

/// A new idempotency key.
pub fn new_key() -> String {
    unique().to_string()
}

/// An address to ship to.
pub fn shipping_address() -> Value {
    json!({
        "name": "Canary Person", "line1": "1 Canary Street", "city": "Springfield",
        "state": "OR", "postalCode": "97477", "country": "US"
    })
}

/// The body of an order with these products and quantities.
pub fn order_of(lines: &[(&str, u32)], payment_method: &str) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .map(|(product, quantity)| json!({ "productId": product, "quantity": quantity }))
        .collect();
    json!({
        "items": items, "shippingAddress": shipping_address(), "paymentMethod": payment_method
    })
}

impl Client {
    /// Registers a user.
    pub async fn register(&self, email: &str, password: &str) -> Account {
        let body = json!({ "email": email, "password": password, "name": "Canary Person" });
        let reply = self.post("/api/auth/register", &body, 201).await;
        let tokens = reply.data().clone();
        Account {
            id: tokens["user"]["id"].as_str().expect("a user id").to_owned(),
            email: email.to_owned(),
            client: self.bearer(&tokens["token"]),
            tokens,
        }
    }

    /// Logs in with a password.
    #[track_caller]
    pub fn log_in(
        &self,
        email: &str,
        password: &str,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let body = json!({ "email": email, "password": password });
        self.post("/api/auth/login", &body, expected)
    }

    /// Creates a category with a name of its own and a product in it, and
    /// returns the product's id.
    pub async fn create_product(&self, price: &str, stock: u32) -> String {
        let name = format!("Thing {}", unique().simple());
        let category = self.post("/api/categories", &json!({ "name": name }), 201);
        let price: Value = serde_json::from_str(price).expect("a price is a number");
        let product = json!({
            "name": name, "description": "A thing to test with.", "price": price,
            "currency": "USD", "categoryId": category.await.id(), "stock": stock, "tags": ["test"]
        });
        self.post("/api/products", &product, 201).await.id()
    }

    /// The stock of a product that is available to order.
    pub async fn stock_of(&self, product_id: &str) -> u64 {
        let path = format!("/api/products/{product_id}");
        let product = self.get(&path, 200).await;
        product.data()["stock"].as_u64().expect("a stock")
    }

    /// Places an order under a new idempotency key.
    #[track_caller]
    pub fn place_order(
        &self,
        order: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.with_key(&new_key())
            .post("/api/orders", order, expected)
    }

    /// Waits until an order has a final status, and returns it.
    pub async fn settled_order(&self, order_id: &str) -> Value {
        let path = format!("/api/orders/{order_id}");
        eventually("the order settles", || async {
            let order = self.get(&path, 200).await.data().clone();
            let status = order["status"].as_str().expect("a status");
            FINAL_STATUSES.contains(&status).then_some(order)
        })
        .await
    }

    /// The mails in a local shop's mailbox to an address, newest first, whose
    /// subjects contain a phrase in any case. `None` without such a mailbox.
    pub async fn mails(&self, to: &str, phrase: &str) -> Option<Vec<Value>> {
        let path = format!("/_local/mailbox?to={to}");
        let reply = self.request(Method::GET, &path, None).await;
        let reply = reply.expect("the mailbox replies");
        if reply.status == StatusCode::NOT_FOUND {
            return None;
        }
        let mut mails = reply.body.as_array().expect("a list of mails").clone();
        mails.retain(|mail| {
            let subject = mail["subject"].as_str().expect("a subject");
            subject.to_lowercase().contains(phrase)
        });
        Some(mails)
    }
}
