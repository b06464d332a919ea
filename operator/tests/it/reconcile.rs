//! `reconcile catalog`, after the catalogue was restored.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::Item;
use kernel::{SignedDuration, Timestamp};
use operator::Command;
use serde_json::json;

use crate::fixture::{Fixture, UNITS};

/// Everything in the catalogue's table.
async fn items(fixture: &Fixture) -> Vec<Item> {
    let table = fixture.table("catalog");
    let scan = table.client().scan().table_name(table.name());
    scan.send().await.unwrap().items.unwrap()
}

/// Restores the catalogue as it was into an empty table.
async fn restore(fixture: &Fixture, earlier: Vec<Item>) {
    let table = fixture.table("catalog");
    for item in items(fixture).await {
        let delete = table.client().delete_item().table_name(table.name());
        let delete = delete.key("pk", item["pk"].clone());
        delete.key("sk", item["sk"].clone()).send().await.unwrap();
    }
    copy(fixture, earlier).await;
}

/// Copies the catalogue as it was over what there is, and marks it, as
/// `tools/copy_table.py` does.
async fn copy(fixture: &Fixture, earlier: Vec<Item>) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let mark = [("pk", text("RESTORED")), ("sk", text("RESTORED"))];
    let mark = mark.map(|(name, value)| (name.to_owned(), value));
    fixture.plant("catalog", Item::from(mark)).await;
    for item in earlier {
        fixture.plant("catalog", item).await;
    }
}

fn reconcile(since: Timestamp, apply: bool) -> Command {
    Command::ReconcileCatalog { since, apply }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_catalogue_sells_nothing_twice_and_keeps_nothing_of_ended_orders() {
    let fixture = Fixture::start().await;
    // At the time of the backup one order is settled and three are under way.
    fixture.place("pm_card_visa").await;
    fixture.settle().await;
    let held = fixture.place("pm_card_visa").await;
    let fails = fixture.place("pm_card_chargeCustomerFail").await;
    let open = fixture.place("pm_card_visa").await;
    let (since, backup) = (fixture.clock.now(), items(&fixture).await);
    fixture.clock.advance(SignedDuration::from_secs(1));
    fixture.run(Command::Cancel(open)).await.unwrap();
    fixture.settle().await;
    let later = fixture.place("pm_card_visa").await;
    fixture.settle().await;
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 3);

    restore(&fixture, backup).await;
    fixture.clock.advance(SignedDuration::from_mins(20));
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 4);
    let expire = fixture.try_invoke("expire-reservations", json!({})).await;
    assert!(expire.unwrap_err().contains("not reconciled"));

    let planned = fixture.run(reconcile(since, false)).await.unwrap();
    for (order, what) in [
        (held, "would sell what it holds"),
        (later, "would take its goods and sell them"),
        (fails, "would release its goods"),
        (open, "would release its goods"),
    ] {
        let line = format!("order {order}  {what}");
        assert!(planned.contains(&line), "no `{line}` in\n{planned}");
    }
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 4, "a dry run");

    let done = fixture.run(reconcile(since, true)).await.unwrap();
    assert!(done.ends_with("and is open again\n"), "{done}");
    let again = fixture.run(reconcile(since, true)).await.unwrap_err();
    assert!(again.contains("has been reconciled"), "{again}");
    fixture
        .try_invoke("expire-reservations", json!({}))
        .await
        .unwrap();
    fixture.settle().await;
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 3);
    for (order, goods) in [
        (held, "sold"),
        (later, "sold"),
        (fails, "released"),
        (open, "released"),
    ] {
        let report = fixture.json(Command::Show(order)).await;
        assert_eq!(report["goods"]["status"], goods, "{report}");
        assert_eq!(report["contradictions"], json!([]), "{report}");
    }
}

/// As the copy leaves it: what was reserved since is still there, and the stock is
/// what it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_reserved_since_is_taken_out_of_the_restored_stock_once() {
    let fixture = Fixture::start().await;
    let (since, backup) = (fixture.clock.now(), items(&fixture).await);
    fixture.clock.advance(SignedDuration::from_secs(1));
    let sold = fixture.place("pm_card_visa").await;
    fixture.place("pm_card_chargeDeclined").await;
    fixture.settle().await;
    let held = fixture.place("pm_card_visa").await;
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 2);
    copy(&fixture, backup).await;
    assert_eq!(fixture.stock().await, u64::from(UNITS));

    let done = fixture.run(reconcile(since, true)).await.unwrap();
    for order in [sold, held] {
        let line = format!("order {order}  take its goods out of the restored stock");
        assert!(done.contains(&line), "no `{line}` in\n{done}");
    }
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 2);
    fixture.settle().await;
    assert_eq!(fixture.status(held).await, "confirmed");
    assert_eq!(fixture.stock().await, u64::from(UNITS) - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_whose_goods_are_gone_stays_closed() {
    let fixture = Fixture::start().await;
    let (since, mut backup) = (fixture.clock.now(), items(&fixture).await);
    let id = fixture.place("pm_card_visa").await;
    fixture.settle().await;
    for item in backup.iter_mut().filter(|item| item.contains_key("stock")) {
        item.insert("stock".into(), AttributeValue::N("0".into()));
    }
    restore(&fixture, backup).await;
    let text = fixture.run(reconcile(since, true)).await.unwrap();
    assert!(text.contains(&format!("order {id}  IMPOSSIBLE")), "{text}");
    let expire = fixture.try_invoke("expire-reservations", json!({})).await;
    assert!(expire.is_err(), "the mark stays");
}
