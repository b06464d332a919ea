//! `order show`.

use operator::Command;

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_shown_with_what_it_waits_for_and_without_anything_personal() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    let text = fixture.run(Command::Show(id)).await.unwrap();
    for part in [
        "order     pending, 5.00 USD, version 1",
        "payment   none",
        "goods     held, held until 2026-01-01 00:15:00",
        "order.placed                 by user:",
        "UNSENT for 0 s",
        "waits for 0 s for process-payments to handle order.placed",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }

    fixture.settle().await;
    fixture.compose().await;
    let text = fixture.run(Command::Show(id)).await.unwrap();
    for part in [
        "order     confirmed, goods sold",
        "payment   captured, 5.00 USD, intends to capture, at the provider sand…",
        "goods     sold",
        "message   queued, about order.confirmed",
        "payment.captured             by function:process-payments",
        "waits for nothing",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    for part in ["UNSENT", "dead letters", "contradictions"] {
        assert!(!text.contains(part), "`{part}` in\n{text}");
    }
    let json = fixture.json(Command::Show(id)).await.to_string();
    for personal in ["Canary", fixture.email.as_str(), "97477", "pm_card_visa"] {
        assert!(!text.contains(personal), "`{personal}` in\n{text}");
        assert!(!json.contains(personal), "`{personal}` in\n{json}");
    }
    let width = text.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(100), "{width:?} columns:\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_its_dead_letters_and_no_others() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    let other = fixture.place("pm_card_visa").await;
    let queue = fixture.shop.queue("advance-orders").unwrap();
    for order in [id, other] {
        let body = serde_json::json!({
            "type": "stock.committed", "data": { "orderId": order }
        });
        let sent = fixture.sqs.send_message().queue_url(&queue.dead_letter_url);
        sent.message_body(body.to_string()).send().await.unwrap();
    }
    let report = fixture.json(Command::Show(id)).await;
    let letters = report["deadLetters"].as_array().unwrap();
    assert_eq!(letters.len(), 1, "{report}");
    assert_eq!(letters[0]["queue"], "advance-orders");
    assert_eq!(letters[0]["eventType"], "stock.committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_does_not_exist_is_an_error() {
    let fixture = Fixture::start().await;
    let error = fixture.run(Command::Show(testkit::new_id())).await;
    assert!(error.unwrap_err().starts_with("there is no order "));
}
