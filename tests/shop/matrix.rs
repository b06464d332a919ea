//! Every route of the shop, as everybody: the routes are the template's, who
//! may call them stands in `access.txt`.

use std::{collections::BTreeMap, path::Path};

use local::{
    Options, Shop, Source,
    template::{Event, Template},
};
use reqwest::Method;
use runtime::{Environment, SecretVersions, http::Role};
use serde_json::{Value, json};
use users::tokens::AccessTokens;
use uuid::Uuid;

use crate::support::{Client, PASSWORD, Person, new_key, new_product, order_of, register_at};

/// The secret that access tokens are signed with in this shop, so that the test
/// can make one that is too old.
const AUTH_SECRET: &str = "the secret of the access tokens of one test, and of no other";
const INTERNAL_KEY: &str = "the-internal-key-of-one-test";

/// What a row of the table says.
#[derive(Clone, Debug)]
struct Row {
    method: Method,
    path: String,
    who: String,
    whose: String,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("access.txt").lines();
    let rows = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [method, path, who, whose] = cells[..] else {
            panic!("not four cells: {line}")
        };
        Row {
            method: method.parse().unwrap(),
            path: path.into(),
            who: who.into(),
            whose: whose.into(),
        }
    })
    .collect()
}

fn template() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let template = Template::load(&template(), &Environment::default()).unwrap();
    let events = template
        .functions
        .iter()
        .flat_map(|function| &function.events);
    let routes = events.filter_map(|event| match event {
        Event::Http(route) => Some((route.key(), route.authorizer.is_some())),
        _ => None,
    });
    let routes: BTreeMap<String, bool> = routes.filter(|(key, _)| key != "$default").collect();
    let rows = rows().into_iter();
    let rows: BTreeMap<String, bool> = rows
        .map(|row| (format!("{} {}", row.method, row.path), row.who != "p"))
        .collect();
    assert_eq!(
        rows, routes,
        "tests/shop/access.txt and template.yaml differ"
    );
}

/// Everybody who may call.
struct Everybody {
    client: Client,
    internal: Client,
    expired: Client,
}

impl Everybody {
    async fn person(&self, change: &Value) -> Person {
        let person = register_at(&self.client).await;
        if *change != json!({}) {
            let path = format!("/api/users/{}", person.id);
            self.internal.patch(&path, change, 200).await;
        }
        person
    }
}

async fn open() -> (Shop, Everybody) {
    crate::process::begin_log();
    let mut options = Options::new(Source::File(template()), local::registry::functions());
    options.environment = [
        ("AUTH", AUTH_SECRET),
        ("INTERNAL_KEY", INTERNAL_KEY),
        ("AUTH_REQUESTS_PER_IP", "100000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into_iter()
    .collect();
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = Client::at(shop.url());
    let secret = SecretVersions {
        current: AUTH_SECRET.into(),
        previous: None,
    };
    let person = register_at(&client).await;
    let id = |value: &Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
    let sessions = person.client.get("/api/users/sessions", 200).await;
    let token = AccessTokens::new("emporium", &secret).unwrap().issue(
        id(&json!(person.id)).into(),
        id(&sessions.data()[0]["id"]).into(),
        Role::Admin,
        "2026-01-01T00:00:00Z".parse().unwrap(),
    );
    let everybody = Everybody {
        internal: client.with("x-internal-key", INTERNAL_KEY),
        expired: client.bearer(&json!(token.unwrap())),
        client,
    };
    (shop, everybody)
}

async fn status(client: &Client, row: &Row, id: &str) -> (u16, Value) {
    let body = (row.method != Method::GET && row.method != Method::DELETE).then(|| "{}".to_owned());
    let path = row.path.replace("{id}", id);
    let client = client.with("idempotency-key", &new_key());
    let reply = client
        .request(row.method.clone(), &path, body)
        .await
        .unwrap();
    (reply.status.as_u16(), reply.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_exactly_whom_the_table_names() {
    let (shop, everybody) = open().await;
    let mut wrong = Vec::new();
    for row in rows() {
        let user = everybody.person(&json!({})).await;
        let moderator = everybody.person(&json!({"role": "moderator"})).await;
        let admin = everybody.person(&json!({"role": "admin"})).await;
        let suspended = everybody.person(&json!({"status": "suspended"})).await;
        let callers = [
            ("anonymous", &everybody.client, [None, Some(401), Some(401)]),
            ("user", &user.client, [None, None, Some(403)]),
            ("moderator", &moderator.client, [None, None, Some(403)]),
            ("admin", &admin.client, [None, None, None]),
            ("internal", &everybody.internal, [None, Some(403), None]),
            ("suspended", &suspended.client, [None, Some(401), Some(401)]),
            ("expired", &everybody.expired, [None, Some(401), Some(401)]),
        ];
        let at = ["p", "u", "i"]
            .iter()
            .position(|who| *who == row.who)
            .unwrap();
        for (name, client, expected) in callers {
            let (status, body) = status(client, &row, &Uuid::now_v7().to_string()).await;
            // Whoever is let in is told what is wrong with an empty body or an
            // id that nothing has, or gets a list; public routes have 401s of
            // their own, for credentials in the body.
            let fits = match expected[at] {
                Some(refusal) => status == refusal,
                None => [200, 202, 404, 422].contains(&status) || (status == 401 && row.who == "p"),
            };
            if !fits {
                wrong.push(format!(
                    "{} {} as {name}: {status} {body}",
                    row.method, row.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_somebody_else_is_not_there() {
    let (shop, everybody) = open().await;
    let (owner, other) = (
        everybody.person(&json!({})).await,
        everybody.person(&json!({})).await,
    );
    let admin = everybody.person(&json!({"role": "admin"})).await;
    let product = new_product(&everybody.internal, "5.00", 50).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let key = owner.client.with("idempotency-key", &new_key());
    let order = key.post("/api/orders", &order, 201).await;
    let (order, payment) = (
        order.data()["id"].clone(),
        order.data()["paymentId"].clone(),
    );
    let address = json!({
        "name": "Ada", "line1": "1 Lamp Street", "city": "Springfield", "postalCode": "97477",
        "country": "US"
    });
    crate::support::eventually("the payment is known", || async {
        let path = format!("/api/payments/{}", payment.as_str().unwrap());
        let reply = owner
            .client
            .request(Method::GET, &path, None)
            .await
            .unwrap();
        (reply.status == 200).then_some(())
    })
    .await;
    let mut wrong = Vec::new();
    for row in rows().into_iter().filter(|row| row.whose != "-") {
        let id = match row.whose.as_str() {
            "order" => order.clone(),
            "payment" => payment.clone(),
            "address" => {
                // Another each time: an equal one would not be added again.
                let mut address = address.clone();
                address["line1"] = json!(Uuid::now_v7());
                let added = owner
                    .client
                    .post("/api/users/addresses", &address, 201)
                    .await;
                added.data()["id"].clone()
            }
            "session" => {
                let login = json!({"email": owner.email, "password": PASSWORD});
                everybody.client.post("/api/auth/login", &login, 200).await;
                let sessions = owner.client.get("/api/users/sessions", 200).await;
                sessions.data()[0]["id"].clone()
            }
            kind => panic!("access.txt has things of a new kind: {kind}"),
        };
        let path = row.path.replace("{id}", id.as_str().unwrap());
        let body = (row.method == Method::PUT).then(|| address.to_string());
        let missing = row.path.replace("{id}", &Uuid::now_v7().to_string());
        // The owner last: some of these take the thing away.
        for (name, client, path, expected) in [
            ("another", &other.client, &path, 404),
            ("an admin", &admin.client, &path, 404),
            ("nobody", &everybody.client, &path, 401),
            ("its owner, of another", &owner.client, &missing, 404),
            ("its owner", &owner.client, &path, 200),
        ] {
            let request = client.request(row.method.clone(), path, body.clone());
            let reply = request.await.unwrap();
            if reply.status.as_u16() != expected {
                wrong.push(format!("{} {path} as {name}: {}", row.method, reply.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    shop.stop().await;
}
