//! `dead-letters list` and `redrive`.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use operator::Command;
use serde_json::json;

use crate::fixture::Fixture;

async fn bury(fixture: &Fixture, consumer: &str, body: &str) {
    let queue = fixture.shop.queue(consumer).unwrap();
    let sent = fixture.sqs.send_message().queue_url(&queue.dead_letter_url);
    sent.message_body(body).send().await.unwrap();
}

fn redrive(queue: Option<&str>, message: Option<&str>) -> Command {
    Command::Redrive {
        queue: queue.map(str::to_owned),
        message: message.map(str::to_owned),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_as_often_as_one_likes_and_sent_back() {
    let fixture = Fixture::start().await;
    let none = fixture.run(Command::ListDeadLetters(None)).await.unwrap();
    assert_eq!(none, "no dead letters\n");

    let id = fixture.place("pm_card_visa").await;
    let body = json!({"type": "order.placed", "data": {"orderId": id}}).to_string();
    bury(&fixture, "process-payments", &body).await;
    for number in 0..12 {
        bury(&fixture, "deliver-email", &number.to_string()).await;
    }
    for _ in 0..2 {
        let listed = fixture.json(Command::ListDeadLetters(None)).await;
        assert_eq!(listed["listed"].as_array().unwrap().len(), 13, "{listed}");
        assert_eq!(listed["counts"]["deliver-email"], 12);
    }
    let one = Command::ListDeadLetters(Some("process-payments".into()));
    let listed = fixture.json(one).await;
    assert_eq!(listed["listed"][0]["eventType"], "order.placed");
    assert_eq!(listed["listed"][0]["orderId"], id.to_string());

    let moved = fixture.json(redrive(None, None)).await;
    assert_eq!(moved["moved"]["process-payments"], 1);
    assert_eq!(moved["moved"]["deliver-email"], 12);
    let none = fixture.run(Command::ListDeadLetters(None)).await.unwrap();
    assert_eq!(none, "no dead letters\n");
    let queue = fixture.shop.queue("process-payments").unwrap();
    let received = fixture.sqs.receive_message().queue_url(&queue.url);
    let messages = received.send().await.unwrap().messages.unwrap();
    assert_eq!(messages[0].body.as_deref(), Some(body.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_sent_back_by_its_id_and_the_others_stay() {
    let fixture = Fixture::start().await;
    for body in ["one", "two", "three"] {
        bury(&fixture, "advance-orders", body).await;
    }
    let list = Command::ListDeadLetters(Some("advance-orders".into()));
    let listed = fixture.json(list.clone()).await;
    let id = listed["listed"][1]["messageId"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = fixture
        .run(redrive(Some("advance-orders"), Some(&id)))
        .await;
    assert_eq!(text.unwrap(), "advance-orders: 1 sent back\n");
    let listed = fixture.json(list).await;
    let left = listed["listed"].as_array().unwrap();
    assert_eq!(left.len(), 2, "{listed}");
    assert!(left.iter().all(|letter| letter["messageId"] != id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_queue_is_refused_with_the_names_of_all() {
    let fixture = Fixture::start().await;
    let error = fixture
        .run(redrive(Some("orders"), None))
        .await
        .unwrap_err();
    assert!(error.starts_with("there is no queue orders; there are advance-orders, "));
}

/// Receives whatever is in a consumer's queue, and makes it visible again.
async fn try_once(fixture: &Fixture, consumer: &str) -> Option<Message> {
    let url = &fixture.shop.queue(consumer).unwrap().url;
    let receive = fixture.sqs.receive_message().queue_url(url);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    let received = receive.visibility_timeout(0).send().await.unwrap();
    received.messages?.into_iter().next()
}

fn attempts(message: &Message) -> &str {
    let attributes = message.attributes.as_ref().unwrap();
    &attributes[&MessageSystemAttributeName::ApproximateReceiveCount]
}

/// With the redrive policy of the template: a consumer gives up after sixty attempts,
/// and has as many again for what is sent back.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_sixty_times_is_sent_back_with_all_its_attempts_and_handled() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    fixture.publish().await;
    for _ in 0..2 {
        for attempt in 1..=60 {
            let message = try_once(&fixture, "process-payments").await;
            let message = message.unwrap_or_else(|| panic!("gone before attempt {attempt}"));
            assert_eq!(attempts(&message), attempt.to_string());
        }
        assert!(try_once(&fixture, "process-payments").await.is_none());
        let listed = fixture.json(Command::ListDeadLetters(None)).await;
        let letters = listed["listed"].as_array().unwrap();
        assert_eq!(letters.len(), 1, "{listed}");
        assert_eq!(letters[0]["orderId"], id.to_string());
        let letter = letters[0]["messageId"].as_str().unwrap();
        let moved = redrive(Some("process-payments"), Some(letter));
        let text = fixture.run(moved).await.unwrap();
        assert_eq!(text, "process-payments: 1 sent back\n");
    }
    fixture.settle().await;
    assert_eq!(fixture.status(id).await, "confirmed");
    let none = fixture.run(Command::ListDeadLetters(None)).await.unwrap();
    assert_eq!(none, "no dead letters\n");
}

/// A listing that died, or one of a colleague, hides messages for seconds.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_is_looking_at_is_waited_for() {
    let fixture = Fixture::start().await;
    bury(&fixture, "advance-orders", "one").await;
    let queue = fixture.shop.queue("advance-orders").unwrap();
    let receive = fixture
        .sqs
        .receive_message()
        .queue_url(&queue.dead_letter_url);
    let seen = receive.visibility_timeout(20).send().await.unwrap();
    let receipt = seen.messages.unwrap()[0].receipt_handle.clone();
    let give_back = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let change = fixture
            .sqs
            .change_message_visibility()
            .visibility_timeout(0);
        let change = change.queue_url(&queue.dead_letter_url);
        change.set_receipt_handle(receipt).send().await.unwrap();
    };
    let (text, ()) = tokio::join!(
        fixture.run(redrive(Some("advance-orders"), None)),
        give_back
    );
    assert_eq!(text.unwrap(), "advance-orders: 1 sent back\n");
}
