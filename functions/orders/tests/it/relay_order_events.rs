//! `relay-order-events` on this service's outbox. What every relay does is
//! tested in `shared/dynamo/tests`.

use kernel::SignedDuration;
use testkit::{StubReply, StubServer, new_id};

use crate::fixture::TestOrders;

/// SNS's reply to a batch of one event.
pub(crate) const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member>\
    <Id>0</Id><MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";

#[tokio::test]
async fn the_sweep_publishes_an_event_that_the_stream_missed_once_and_keeps_the_history() {
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let orders = TestOrders::publishing_to(&sns).await;
    let order = orders.place(new_id()).await.order;
    let relay = orders.function("relay-order-events").await;
    testkit::run(&relay).await;
    assert!(sns.bodies().is_empty(), "the stream has a minute");

    orders
        .table
        .clock()
        .advance(SignedDuration::from_millis(60_001));
    for _ in 0..2 {
        testkit::run(&relay).await;
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].contains("order.placed"));
    assert!(bodies[0].contains(&order.order_id.to_string()));
    assert_eq!(orders.history_types(order.order_id).await, ["order.placed"]);
}
