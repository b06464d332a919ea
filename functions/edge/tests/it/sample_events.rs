use edge::api::reject_unknown_route;
use runtime::{Context, LambdaEvent};
use serde_json::{Value, value::RawValue};

use crate::health::Shop;

const HEALTH: &str = include_str!("../../../../events/health.json");
const UNKNOWN: &str = include_str!("../../../../events/reject-unknown-route.json");

async fn status(handler: &runtime::Handler, sample: &str) -> Value {
    let payload: Box<RawValue> = serde_json::from_str(sample).unwrap();
    let reply = handler(LambdaEvent::new(payload, Context::default())).await;
    let reply: Value = serde_json::from_str(reply.unwrap().get()).unwrap();
    reply["statusCode"].clone()
}

#[tokio::test]
async fn the_samples_are_answered() {
    let shop = Shop::open().await;
    let health = edge::api::health::function()
        .start(shop.environment())
        .await;
    assert_eq!(status(&health.unwrap(), HEALTH).await, 200);
    let unknown = reject_unknown_route::function()
        .start(shop.environment())
        .await;
    assert_eq!(status(&unknown.unwrap(), UNKNOWN).await, 404);
}
