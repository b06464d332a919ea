//! `relay-catalog-events`: the function over this service's own outbox. What
//! every relay does is tested in `shared/dynamo/tests`.

use catalog::events::relay_catalog_events;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};
use testkit::{StubReply, StubServer};

use crate::shop::Shop;

const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful>\
    <member><Id>0</Id><MessageId>1</MessageId></member>\
    </Successful><Failed/></PublishBatchResult></PublishBatchResponse>";

#[tokio::test]
async fn the_sweep_publishes_an_event_that_the_stream_forgot_once() {
    let mut shop = Shop::open().await;
    // Made by the manual clock, long before the machine's time.
    let category = shop.category("Lamps", None).await;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    shop.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:catalog");
    let relay = shop.table.start(&relay_catalog_events::function()).await;
    for _ in 0..2 {
        let payload = to_raw_value(&json!({ "source": "aws.scheduler" })).unwrap();
        relay(LambdaEvent::new(payload, Context::default()))
            .await
            .unwrap();
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1, "once: then it is marked");
    assert!(bodies[0].contains("category.created"));
    assert!(bodies[0].contains(&category.to_string()));
}
