//! An order can be followed through the logs by its correlation id.

use std::{collections::BTreeSet, fs::File, process::Stdio};

use serde_json::Value;
use shop_client::{eventually, order_of};

use crate::{
    process::{INTERNAL_KEY, new_directory, start_with_log},
    support::{PASSWORD, client_at, is_remote, register_at},
};

/// What the client calls the chain.
const CLIENTS_ID: &str = "the-chain-of-one-order";

/// The functions that an order passes through.
const FUNCTIONS: [&str; 11] = [
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

/// The functions whose lines also have the client's id.
const WITH_CLIENTS_ID: [&str; 5] = [
    "place-order",
    "process-payments",
    "advance-orders",
    "settle-reservations",
    "deliver-email",
];

/// The lines of a log that belong to the order.
fn lines_of_order(log: &str, correlation_id: &str) -> Vec<Value> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line| {
            let mut ids = text(line, "correlation_ids").split(' ');
            text(line, "correlation_id") == correlation_id || ids.any(|id| id == correlation_id)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_that_an_order_passes_logs_its_correlation_id() {
    if is_remote() {
        return;
    }
    let data = new_directory();
    let file = data.join("log");
    let log = Stdio::from(File::create(&file).unwrap());
    let shop = start_with_log(&data, "info", log).await;
    let client = client_at(&shop.url);
    let internal = client.as_internal(INTERNAL_KEY);
    let lamp = internal.create_product("5.00", 10).await;
    let person = register_at(&client).await;
    let buyer = person.client.with("x-correlation-id", CLIENTS_ID);
    let order = order_of(&[(&lamp, 1)], "pm_card_visa");
    let placed = buyer.place_order(&order, 201).await;
    let correlation_id = placed.header("x-correlation-id").to_owned();
    let settled = person.client.settled_order(&placed.id()).await;
    assert_eq!(settled["status"], "confirmed");

    let lines = eventually("every function has logged", async || {
        let lines = lines_of_order(&std::fs::read_to_string(&file).unwrap(), &correlation_id);
        let logged: BTreeSet<&str> = lines.iter().map(|line| text(line, "function")).collect();
        let mut functions = FUNCTIONS.iter();
        functions
            .all(|function| logged.contains(function))
            .then_some(lines)
    })
    .await;
    for name in WITH_CLIENTS_ID {
        let of_function =
            |line: &&Value| text(line, "function") == name && line.get("duration_ms").is_some();
        let line = lines.iter().find(of_function).unwrap();
        assert_eq!(text(line, "client_correlation_id"), CLIENTS_ID, "{line}");
    }
    for line in lines.iter().filter(|line| line.get("function").is_some()) {
        assert!(!text(line, "request_id").is_empty(), "{line}");
        assert_eq!(text(line, "level"), "INFO", "{line}");
    }
    let log = std::fs::read_to_string(&file).unwrap();
    let token = person.tokens["token"].as_str().unwrap();
    for secret in [PASSWORD, INTERNAL_KEY, &person.email, token] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    drop(shop);
    let _ = std::fs::remove_dir_all(&data);
}
