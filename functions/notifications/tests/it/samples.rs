use contracts::Envelope;
use serde_json::Value;
use testkit::{StubReply, StubServer};

use crate::fixture::TestNotifications;

const COMPOSE: &str = include_str!("../../../../events/compose-notifications.json");
const DELIVER: &str = include_str!("../../../../events/deliver-email.json");
const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id>\
    <MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";

/// The samples build on each other: the first composes the notification that
/// the second delivers and the others publish, list and export.
#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let mut notifications = TestNotifications::new().await;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let table = &mut notifications.table;
    table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    table.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:1:notifications");
    testkit::check_samples(&notifications::functions(), &table.environment()).await;
    // No key opens the sample's token, so the delivery fails and is released.
    assert_eq!(notifications.statuses().await, ["queued"]);
    assert_eq!(sns.bodies().len(), 1);
}

#[test]
fn the_samples_contain_valid_events() {
    for sample in [COMPOSE, DELIVER] {
        let sample: Value = serde_json::from_str(sample).unwrap();
        let body = sample["Records"][0]["body"].as_str().unwrap();
        assert!(serde_json::from_str::<Envelope>(body).is_ok(), "{body}");
    }
}
