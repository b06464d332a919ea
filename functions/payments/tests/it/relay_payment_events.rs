//! The relay over this service's outbox; what every relay does is tested in
//! `shared/dynamo/tests`.

use testkit::{StubReply, StubServer};

use crate::fixture::TestPayments;

pub(crate) const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member>\
    <Id>0</Id><MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";
pub(crate) const TOPIC_ARN: &str = "arn:aws:sns:eu-central-1:000000000000:payments";

#[tokio::test]
async fn the_sweep_publishes_an_event_that_the_stream_missed_once_and_keeps_it() {
    let mut payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.process(&[&order.placed]).await;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    payments.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    payments.table.set("TOPIC_ARN", TOPIC_ARN);
    let service = payments.table.service(payments::functions());
    let relay = service.function("relay-payment-events").await;

    // The stream's time to deliver.
    payments
        .table
        .clock()
        .advance(kernel::SignedDuration::from_secs(61));
    for _ in 0..2 {
        testkit::run(&relay).await;
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1, "then it is marked as sent");
    assert!(bodies[0].contains("payment.authorized"));
    assert!(bodies[0].contains(&order.payment_id.to_string()));
    let kept = payments.event_types(order.payment_id).await;
    assert_eq!(kept, ["payment.authorized"]);
}
