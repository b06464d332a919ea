//! The relay over this service's outbox; what every relay does is tested in
//! `shared/dynamo/tests`.

use kernel::SignedDuration;
use testkit::{StubReply, StubServer};

use crate::fixture::TestCatalog;

pub(crate) const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member>\
    <Id>0</Id><MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";
pub(crate) const TOPIC_ARN: &str = "arn:aws:sns:eu-central-1:000000000000:catalog";

#[tokio::test]
async fn the_sweep_publishes_an_event_that_the_stream_missed_once() {
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let variables = [
        ("AWS_ENDPOINT_URL_SNS", &*sns.url),
        ("TOPIC_ARN", TOPIC_ARN),
    ];
    let catalog = TestCatalog::with(&variables).await;
    let category = catalog.category("Lamps", None).await;
    // The stream's time to deliver.
    catalog.advance(SignedDuration::from_secs(61));
    let relay = catalog.function("relay-catalog-events").await;
    for _ in 0..2 {
        testkit::run(&relay).await;
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1, "then it is marked as sent");
    assert!(bodies[0].contains("category.created"));
    assert!(bodies[0].contains(&category.to_string()));
}
