//! `relay-payment-events`: the function over this service's own outbox. What
//! every relay does is tested in `shared/dynamo/tests`.

use payments::events::relay_payment_events;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};
use testkit::{StubReply, StubServer};

use crate::till::{Till, said};

const PUBLISHED: &str = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id>\
    <MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult></PublishBatchResponse>";

#[tokio::test]
async fn the_sweep_publishes_a_payment_that_the_stream_forgot_and_keeps_its_history() {
    let mut till = Till::open().await;
    let said = said("pm_card_visa");
    till.tell(&[&said.placed]).await;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    till.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    till.table.set(
        "TOPIC_ARN",
        "arn:aws:sns:eu-central-1:000000000000:payments",
    );

    let relay = till.table.start(&relay_payment_events::function()).await;
    for _ in 0..2 {
        let payload = to_raw_value(&json!({"source": "aws.scheduler"})).unwrap();
        relay(LambdaEvent::new(payload, Context::default()))
            .await
            .unwrap();
    }
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 1, "once: then it is marked");
    assert!(bodies[0].contains("payment.authorized"));
    assert!(bodies[0].contains(&said.payment_id.to_string()));
    assert_eq!(till.events(said.payment_id).await, ["payment.authorized"]);
}
