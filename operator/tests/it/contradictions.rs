//! `contradictions`: the list of events that contradict what is recorded.

use dynamo::OutboxItem;
use kernel::{OrderId, SignedDuration};
use operator::{Command, check::check};

use crate::fixture::Fixture;

const REASON: &str = "the payment of an open order was voided";

/// Lists the first event of an order as one that contradicts what a service has
/// recorded; returns the entry's key.
async fn list(fixture: &Fixture, service: &str, id: OrderId) -> String {
    let (pk, table) = (format!("ORDER#{id}"), fixture.table("orders"));
    let events: Vec<OutboxItem> = table.list(&pk, "EVENT#", 10).await.unwrap();
    let event = events[0].envelope().unwrap();
    let recorded =
        fixture
            .table(service)
            .record_contradiction(&event, id, REASON, fixture.clock.now());
    recorded.await.unwrap();
    format!("{}#{}", event.time, event.id)
}

fn resolve(key: &str) -> Command {
    Command::Resolve { key: key.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_found_and_shown_with_their_order_until_they_are_resolved() {
    let fixture = Fixture::start().await;
    let none = fixture.run(Command::Contradictions).await.unwrap();
    assert_eq!(none, "no contradictions\n");
    let one = fixture.place("pm_card_visa").await;
    let other = fixture.place("pm_card_visa").await;
    let key = list(&fixture, "orders", one).await;
    let left = list(&fixture, "payments", other).await;
    fixture.clock.advance(SignedDuration::from_mins(3));

    let text = fixture.run(Command::Contradictions).await.unwrap();
    for part in [
        format!("order {one}\n  order.placed in orders, 3 min ago: {REASON}\n    {key}\n"),
        format!("order {other}\n  order.placed in payments, 3 min ago: {REASON}\n    {left}\n"),
    ] {
        assert!(text.contains(&part), "no `{part}` in\n{text}");
    }
    let shown = fixture.run(Command::Show(one)).await.unwrap();
    assert!(
        shown.contains(&key) && shown.contains(REASON) && !shown.contains(&left),
        "{shown}"
    );
    let outcome = check(&fixture.shop, None).await.unwrap();
    let found = outcome.findings().iter();
    let found: Vec<_> = found.map(|one| (&*one.code, &*one.about)).collect();
    let expected = [format!("order {one}"), format!("order {other}")];
    assert_eq!(
        found,
        expected
            .each_ref()
            .map(|about| ("contradiction_open", &**about))
    );
    assert!(outcome.to_string().contains(&key), "{outcome}");

    let done = fixture.run(resolve(&key)).await.unwrap();
    assert_eq!(
        done,
        format!("order.placed of order {one} is off the list\n")
    );
    let again = fixture.run(resolve(&key)).await.unwrap_err();
    assert!(
        again.starts_with(&format!("there is no contradiction {key}")),
        "{again}"
    );
    let report = fixture.json(Command::Contradictions).await;
    assert_eq!(report["listed"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["listed"][0]["key"], left);
    let report = fixture.json(Command::Show(one)).await;
    assert_eq!(report["contradictingEvents"], serde_json::json!([]));
    fixture.run(resolve(&left)).await.unwrap();
    assert_eq!(check(&fixture.shop, None).await.unwrap().findings(), []);
}

/// An entry of a later version is named, and hides no others.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_is_named_by_its_key() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    let key = list(&fixture, "orders", id).await;
    let mut item = fixture
        .item("orders", dynamo::CONTRADICTIONS_PK, &key)
        .await;
    item.insert(
        "sk".into(),
        aws_sdk_dynamodb::types::AttributeValue::S("later".into()),
    );
    item.remove("reason");
    fixture.plant("orders", item).await;
    let text = fixture.run(Command::Contradictions).await.unwrap();
    assert!(text.contains(&key), "{text}");
    assert!(
        text.contains("later in orders cannot be read by this version"),
        "{text}"
    );
    let outcome = check(&fixture.shop, None).await.unwrap();
    let found = outcome.findings().iter().map(|one| &*one.code);
    assert_eq!(
        found.collect::<Vec<_>>(),
        ["contradiction_open", "unreadable"]
    );
}
