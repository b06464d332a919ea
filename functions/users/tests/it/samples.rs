use contracts::{Envelope, events::UserRegistered};
use serde_json::Value;
use testkit::{StubReply, StubServer};

use crate::fixture::TestUsers;

/// SNS's reply to a batch of one event.
const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member>\
    <Id>0</Id><MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";

#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let topic = "arn:aws:sns:eu-central-1:000000000000:users";
    let variables = [
        ("AWS_ENDPOINT_URL_SNS", sns.url.as_str()),
        ("TOPIC_ARN", topic),
        ("EXPORT_ORDERS_FUNCTION", "export-orders"),
        ("EXPORT_PAYMENTS_FUNCTION", "export-payments"),
        ("EXPORT_NOTIFICATIONS_FUNCTION", "export-notifications"),
    ];
    let users = TestUsers::with(&variables).await;
    testkit::check_samples(&users::functions(), &users.table.environment()).await;
    assert_eq!(sns.bodies().len(), 1, "the event in the relay's sample");
}

#[test]
fn the_sample_of_the_relay_has_an_event_of_this_service() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../events/relay-user-events.json"
    );
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let image = &sample["Records"][0]["dynamodb"]["NewImage"];
    let event = image["event"]["S"].as_str().unwrap();
    let event: Envelope = serde_json::from_str(event).unwrap();
    event.read::<UserRegistered>().unwrap();
    let pk = image["pk"]["S"].as_str().unwrap();
    assert!(pk.ends_with(&event.subject), "{pk}");
}
