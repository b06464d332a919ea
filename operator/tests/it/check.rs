//! `check`.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{OrderId, SignedDuration};
use operator::{
    Command,
    check::{GRACE, Pass, Position, check, step},
};
use serde_json::Value;

use crate::fixture::{Fixture, new_file};

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

async fn codes(fixture: &Fixture) -> BTreeSet<String> {
    let outcome = check(&fixture.shop, None).await.unwrap();
    let findings = outcome.findings().iter();
    findings.map(|finding| finding.code.clone()).collect()
}

/// Sets an attribute of an order's item in a table, past the code that guards it.
async fn set(fixture: &Fixture, service: &str, id: OrderId, name: &str, value: &str) {
    let (pk, sk) = match service {
        "orders" => (format!("ORDER#{id}"), "ORDER"),
        "catalog" => (format!("RESERVATION#{id}"), "RESERVATION"),
        _ => {
            let report = fixture.json(Command::Show(id)).await;
            let payment = report["payment"]["paymentId"].as_str().unwrap().to_owned();
            (format!("PAYMENT#{payment}"), "PAYMENT")
        }
    };
    let mut item = fixture.item(service, &pk, sk).await;
    item.insert(name.to_owned(), text(value));
    fixture.plant(service, item).await;
}

async fn confirmed(fixture: &Fixture) -> OrderId {
    let id = fixture.place("pm_card_visa").await;
    fixture.settle().await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_in_a_shop_where_orders_succeed_fail_and_are_under_way() {
    let fixture = Fixture::start().await;
    confirmed(&fixture).await;
    fixture.place("pm_card_chargeDeclined").await;
    fixture.place("pm_card_chargeCustomerFail").await;
    fixture.settle().await;
    fixture.clock.advance(GRACE + SignedDuration::from_mins(1));
    fixture.place("pm_card_visa").await;
    let outcome = check(&fixture.shop, None).await.unwrap();
    assert_eq!(outcome.findings(), [], "{outcome}");
    let text = outcome.to_string();
    for part in [
        "4 orders, 3 payments, 1 products, 4 reservations",
        "goods: 8 available, 1 held, 1 sold\n",
        "half an hour old: 500 USD confirmed, 500 USD captured",
        "nothing contradicts itself",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_inconsistency_is_found() {
    let fixture = Fixture::start().await;
    let plants: [(&str, &str, &str, &[&str]); 6] = [
        (
            "payments",
            "status",
            "authorized",
            &["confirmed_without_capture", "money_differs"],
        ),
        (
            "catalog",
            "status",
            "released",
            &["confirmed_without_goods"],
        ),
        (
            "orders",
            "status",
            "cancelled",
            &["charged_after_end", "goods_kept_after_end"],
        ),
        ("orders", "status", "authorized", &["order_stuck"]),
        ("orders", "total", "none", &["unreadable"]),
        (
            "orders",
            "payment_id",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            &["payment_without_order"],
        ),
    ];
    let mut orders = Vec::new();
    for _ in &plants {
        orders.push(confirmed(&fixture).await);
    }
    fixture.clock.advance(GRACE + SignedDuration::from_mins(1));
    let mut known = codes(&fixture).await;
    assert_eq!(known, BTreeSet::new());
    for ((service, attribute, value, expected), id) in plants.into_iter().zip(orders) {
        set(&fixture, service, id, attribute, value).await;
        let found = codes(&fixture).await;
        for code in expected {
            assert!(
                !known.contains(*code),
                "{code} is found without {attribute} {value}"
            );
            assert!(found.contains(*code), "{attribute} {value}: {found:?}");
        }
        known = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_that_outlives_its_order_is_found() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    fixture.deliver_to("process-payments").await;
    set(&fixture, "orders", id, "status", "cancelled").await;
    assert!(!codes(&fixture).await.contains("authorization_standing"));
    fixture.clock.advance(GRACE + SignedDuration::from_mins(1));
    assert!(codes(&fixture).await.contains("authorization_standing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_held_past_their_time_and_events_that_are_never_sent_are_found() {
    let fixture = Fixture::start().await;
    fixture.place("pm_card_visa").await;
    fixture.clock.advance(SignedDuration::from_mins(19));
    assert_eq!(codes(&fixture).await, BTreeSet::new());
    fixture.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(codes(&fixture).await, ["held_too_long".to_owned()].into());
    fixture.clock.advance(SignedDuration::from_mins(50));
    let expected = ["held_too_long", "order_stuck", "events_unsent"];
    assert_eq!(codes(&fixture).await, expected.map(str::to_owned).into());
    let outcome = operator::run(&fixture.shop, &Command::Check { position: None }, true);
    let outcome = outcome.await.unwrap();
    assert!(outcome.found, "the exit status is 1");
    let report: Value = serde_json::from_str(&outcome.text).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 4, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_sold_to_no_order_and_negative_stock_are_found() {
    let fixture = Fixture::start().await;
    let id = confirmed(&fixture).await;
    let mut item = fixture
        .item("catalog", &format!("RESERVATION#{id}"), "RESERVATION")
        .await;
    let stray: OrderId = testkit::new_id();
    item.insert("pk".into(), text(&format!("RESERVATION#{stray}")));
    item.insert("order_id".into(), text(&stray.to_string()));
    fixture.plant("catalog", item).await;
    let product = format!("PRODUCT#{}", fixture.product);
    let mut item = fixture.item("catalog", &product, "PRODUCT").await;
    item.insert("stock".into(), AttributeValue::N("-1".into()));
    fixture.plant("catalog", item).await;
    fixture.clock.advance(GRACE + SignedDuration::from_mins(1));
    let found = codes(&fixture).await;
    let expected = ["sold_without_order", "negative_stock"];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// A check that ends after any page goes on from its file to the same result.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_goes_on_where_it_ended() {
    let fixture = Fixture::start().await;
    let id = confirmed(&fixture).await;
    set(&fixture, "orders", id, "status", "cancelled").await;
    fixture.clock.advance(GRACE + SignedDuration::from_mins(1));
    let whole = check(&fixture.shop, None).await.unwrap();
    assert!(!whole.findings().is_empty());
    for steps in 1..4 {
        let mut position = Position::begin(fixture.clock.now());
        for _ in 0..steps {
            step(&fixture.shop, &mut position).await.unwrap();
        }
        assert_ne!(position.pass, Pass::Orders);
        let file = new_file();
        std::fs::write(&file, serde_json::to_vec(&position).unwrap()).unwrap();
        let rest = check(&fixture.shop, Some(&file)).await.unwrap();
        assert_eq!(rest.findings(), whole.findings());
        assert_eq!(rest.position().orders, whole.position().orders);
        assert!(!file.exists(), "a check that is complete begins anew");
    }
}
