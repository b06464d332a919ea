//! Every route of the template, called by every kind of caller: `access.txt`
//! says which of them are allowed.

use std::collections::BTreeMap;

use kernel::{Principal, Role};
use local::{
    Shop,
    template::{Event, Template},
};
use runtime::{Environment, SecretVersions};
use serde_json::{Value, json};
use shop_client::{Account, Client, Method, new_key, order_of, shipping_address};
use users::credentials::tokens::AccessTokens;
use uuid::Uuid;

use crate::{
    process::{options, template},
    support::{PASSWORD, client_at, register_at, verify},
};

/// The secret behind this shop's access tokens, so that the test can issue one
/// that has expired.
const AUTH_SECRET: &str = "the secret of the access tokens of one test, and of no other";
const INTERNAL_KEY: &str = "the-internal-key-of-one-test";

/// A row of the table.
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

/// The callers that are not users of their own.
struct Callers {
    client: Client,
    internal: Client,
    expired: Client,
}

impl Callers {
    async fn user(&self, change: &Value) -> Account {
        let person = register_at(&self.client).await;
        if *change != json!({}) {
            let path = format!("/api/users/{}", person.id);
            self.internal.patch(&path, change, 200).await;
        }
        person
    }
}

async fn open() -> (Shop, Callers) {
    let mut options = options();
    options.environment = options
        .environment
        .with("AUTH", AUTH_SECRET)
        .with("INTERNAL_KEY", INTERNAL_KEY);
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = client_at(shop.url());
    let secret = SecretVersions {
        current: AUTH_SECRET.into(),
        previous: None,
    };
    let person = register_at(&client).await;
    let id = |value: &Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
    let sessions = person.client.get("/api/users/sessions", 200).await;
    let principal = Principal {
        user_id: id(&json!(person.id)).into(),
        session_id: id(&sessions.data()[0]["id"]).into(),
        role: Role::Admin,
        withheld: None,
        unverified: false,
    };
    let token = AccessTokens::new("emporium", &secret).unwrap().issue(
        &principal,
        shop_client::unique(),
        "2026-01-01T00:00:00Z".parse().unwrap(),
    );
    let callers = Callers {
        internal: client.as_internal(INTERNAL_KEY),
        expired: client.bearer(&json!(token.unwrap())),
        client,
    };
    (shop, callers)
}

async fn status(client: &Client, row: &Row, id: &str) -> (u16, Value) {
    let body = (row.method != Method::GET && row.method != Method::DELETE).then(|| "{}".to_owned());
    let path = row.path.replace("{id}", id);
    let client = client.with_key(&new_key());
    let reply = client
        .request(row.method.clone(), &path, body)
        .await
        .unwrap();
    (reply.status.as_u16(), reply.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_allows_exactly_the_callers_in_the_table() {
    let (shop, callers) = open().await;
    let mut wrong = Vec::new();
    for row in rows() {
        let user = callers.user(&json!({})).await;
        let moderator = callers.user(&json!({"role": "moderator"})).await;
        let admin = callers.user(&json!({"role": "admin"})).await;
        let suspended = callers.user(&json!({"status": "suspended"})).await;
        if row.path == "/api/auth/mfa/enroll" {
            // What it also requires is not the subject of this table.
            for person in [&user, &moderator, &admin] {
                verify(person).await.expect("a local mailbox");
            }
        }
        let cases = [
            ("anonymous", &callers.client, [None, Some(401), Some(401)]),
            ("user", &user.client, [None, None, Some(403)]),
            ("moderator", &moderator.client, [None, None, Some(403)]),
            ("admin", &admin.client, [None, None, None]),
            ("internal", &callers.internal, [None, Some(403), None]),
            ("suspended", &suspended.client, [None, Some(401), Some(401)]),
            ("expired", &callers.expired, [None, Some(401), Some(401)]),
        ];
        let at = ["p", "u", "i"]
            .iter()
            .position(|who| *who == row.who)
            .unwrap();
        for (name, client, expected) in cases {
            let (status, body) = status(client, &row, &shop_client::unique().to_string()).await;
            // An allowed caller gets a list, or an error about the empty body or
            // the unknown id. Public routes also answer 401 to credentials in
            // the body.
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
async fn other_users_resources_are_not_found() {
    let (shop, callers) = open().await;
    let (owner, other) = (
        callers.user(&json!({})).await,
        callers.user(&json!({})).await,
    );
    let admin = callers.user(&json!({"role": "admin"})).await;
    let product = callers.internal.create_product("5.00", 50).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let order = owner.client.place_order(&order, 201).await;
    let (order, payment) = (
        order.data()["id"].clone(),
        order.data()["paymentId"].clone(),
    );
    let address = shipping_address();
    // Some routes of an order depend on its state.
    let settled = owner.client.settled_order(order.as_str().unwrap()).await;
    assert_eq!(settled["status"], "confirmed");
    let mut wrong = Vec::new();
    for row in rows().into_iter().filter(|row| row.whose != "-") {
        let id = match row.whose.as_str() {
            "order" => order.clone(),
            "payment" => payment.clone(),
            "address" => {
                // A different one each time, because a duplicate is not added.
                let mut address = address.clone();
                address["line1"] = json!(shop_client::unique());
                let added = owner
                    .client
                    .post("/api/users/addresses", &address, 201)
                    .await;
                added.data()["id"].clone()
            }
            "session" => {
                callers.client.log_in(&owner.email, PASSWORD, 200).await;
                let sessions = owner.client.get("/api/users/sessions", 200).await;
                sessions.data()[0]["id"].clone()
            }
            kind => panic!("access.txt names an unknown kind of resource: {kind}"),
        };
        let path = row.path.replace("{id}", id.as_str().unwrap());
        let body = (row.method == Method::PUT).then(|| address.to_string());
        let missing = row.path.replace("{id}", &shop_client::unique().to_string());
        // The owner comes last, because some requests delete the resource.
        for (name, client, path, expected) in [
            ("another user", &other.client, &path, 404),
            ("an admin", &admin.client, &path, 404),
            ("anonymous", &callers.client, &path, 401),
            (
                "the owner, with an unknown id",
                &owner.client,
                &missing,
                404,
            ),
            ("the owner", &owner.client, &path, 200),
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
