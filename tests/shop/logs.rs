//! One order can be followed through the logs by its correlation id.

use std::{collections::BTreeSet, fs::File, process::Stdio};

use serde_json::Value;

use crate::{
    process::{INTERNAL_KEY, new_folder, start_logging},
    support::{
        Client, PASSWORD, elsewhere, eventually, new_key, new_product, order_of, register_at,
        settled,
    },
};

const CHAIN: &str = "the-chain-of-one-order";

/// What an order passes through, each once or more.
const PASSED: [&str; 11] = [
    "place-order",
    "reserve-stock",
    "relay-order-events",
    "process-payments",
    "relay-payment-events",
    "advance-orders",
    "settle-reservations",
    "relay-catalog-events",
    "compose-notifications",
    "relay-notification-events",
    "deliver-email",
];

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_leaves_its_correlation_id_in_every_function_it_passes() {
    if elsewhere() {
        return;
    }
    let data = new_folder();
    let file = data.join("log");
    let log = Stdio::from(File::create(&file).unwrap());
    let shop = start_logging(&data, "info", log).await;
    let anybody = Client::at(&shop.url);
    let internal = anybody.with("x-internal-key", INTERNAL_KEY);
    let lamp = new_product(&internal, "5.00", 10).await;
    let person = register_at(&anybody).await;
    let placed = person
        .client
        .with("x-correlation-id", CHAIN)
        .with("idempotency-key", &new_key())
        .post("/api/orders", &order_of(&[(&lamp, 1)], "pm_card_visa"), 201)
        .await;
    let id = placed.data()["id"].as_str().unwrap();
    assert_eq!(settled(&person.client, id).await["status"], "confirmed");

    let lines = eventually("every function has logged", async || {
        let written = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> = written
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line| {
                let mut chains = text(line, "correlation_ids").split(' ');
                text(line, "correlation_id") == CHAIN || chains.any(|chain| chain == CHAIN)
            })
            .collect();
        let passed: BTreeSet<&str> = lines.iter().map(|line| text(line, "function")).collect();
        PASSED
            .iter()
            .all(|function| passed.contains(function))
            .then_some(lines)
    })
    .await;
    for line in lines.iter().filter(|line| line.get("function").is_some()) {
        assert!(!text(line, "request_id").is_empty(), "{line}");
        assert_eq!(text(line, "level"), "INFO", "{line}");
    }
    let written = std::fs::read_to_string(&file).unwrap();
    for secret in [
        PASSWORD,
        INTERNAL_KEY,
        &person.email,
        person.tokens["token"].as_str().unwrap(),
    ] {
        assert!(!written.contains(secret), "{secret} is in the log");
    }
    drop(shop);
    let _ = std::fs::remove_dir_all(&data);
}
