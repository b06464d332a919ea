use contracts::Envelope;
use notifications::api::{export_notifications, list_notifications};
use runtime::{Context, Handler, LambdaEvent};
use serde_json::{Value, json, value::RawValue};
use testkit::{StubReply, StubServer};

use crate::desk::Desk;

const COMPOSE: &str = include_str!("../../../../events/compose-notifications.json");
const DELIVER: &str = include_str!("../../../../events/deliver-email.json");
const EXPORT: &str = include_str!("../../../../events/export-notifications.json");
const LIST: &str = include_str!("../../../../events/list-notifications.json");
const RELAY: &str = include_str!("../../../../events/relay-notification-events.json");

async fn invoke(handler: &Handler, sample: &str) -> Value {
    let payload: Box<RawValue> = serde_json::from_str(sample).unwrap();
    let reply = handler(LambdaEvent::new(payload, Context::default())).await;
    serde_json::from_str(reply.unwrap().get()).unwrap()
}

#[tokio::test]
async fn the_samples_fit_together() {
    let mut desk = Desk::open().await;
    assert_eq!(
        invoke(&desk.composer, COMPOSE).await,
        json!({"batchItemFailures": []})
    );
    let list = desk.table.start(&list_notifications::function()).await;
    let page = invoke(&list, LIST).await;
    assert_eq!(page["statusCode"], 200);
    let body: Value = serde_json::from_str(page["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"][0]["type"], "verify_email");

    let export = desk.table.start(&export_notifications::function()).await;
    let page = invoke(&export, EXPORT).await;
    assert_eq!(page["notifications"].as_array().unwrap().len(), 1, "{page}");
    assert!(
        page["contact"].is_object() && page["next"].is_null(),
        "{page}"
    );

    // The sample's delivery is of what the first sample made; its token was
    // sealed with nobody's key, so it comes as far as that and waits.
    let failed = invoke(&desk.courier, DELIVER).await;
    assert_eq!(failed["batchItemFailures"].as_array().unwrap().len(), 1);
    assert_eq!(desk.statuses().await, ["queued"]);

    let topic = StubServer::start(|_, _| {
        let taken = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id>\
            <MessageId>1</MessageId></member></Successful><Failed/></PublishBatchResult>\
            </PublishBatchResponse>";
        StubReply::Reply(200, taken.into())
    })
    .await;
    desk.table.set("AWS_ENDPOINT_URL_SNS", &topic.url);
    desk.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:1:notifications");
    let relay = notifications::events::relay_notification_events::function();
    let relay = desk.table.start(&relay).await;
    assert_eq!(
        invoke(&relay, RELAY).await,
        json!({"batchItemFailures": []})
    );
    assert_eq!(topic.bodies().len(), 1);
}

#[test]
fn the_samples_events_read() {
    for sample in [COMPOSE, DELIVER] {
        let sample: Value = serde_json::from_str(sample).unwrap();
        let body = sample["Records"][0]["body"].as_str().unwrap();
        assert!(serde_json::from_str::<Envelope>(body).is_ok(), "{body}");
    }
}
