//! `relay-order-events`: the function over this service's own outbox. What
//! every relay does is tested in `shared/dynamo/tests`.

use kernel::UserId;
use orders::events::relay_order_events;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};
use testkit::{StubReply, StubServer};

use crate::shop::Shop;

const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id>\
    <MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult></PublishBatchResponse>";

#[tokio::test]
async fn the_sweep_publishes_an_order_that_the_stream_forgot_and_keeps_the_history() {
    let mut shop = Shop::open().await;
    // Placed by the manual clock, long before the machine's time.
    let order = shop.order(testkit::new_id::<UserId>()).await.order;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    shop.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:orders");

    let relay = shop.table.start(&relay_order_events::function()).await;
    for _ in 0..2 {
        let payload = to_raw_value(&json!({"source": "aws.scheduler"})).unwrap();
        relay(LambdaEvent::new(payload, Context::default()))
            .await
            .unwrap();
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1, "once: then it is marked");
    assert!(bodies[0].contains("order.placed"));
    assert!(bodies[0].contains(&order.order_id.to_string()));
    assert_eq!(shop.history_types(order.order_id).await, ["order.placed"]);
}
