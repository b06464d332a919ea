//! What a relay does is tested where it is made (`dynamo::relay`); here, that
//! this service's events stand where it finds them.

use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::Shop;

#[tokio::test]
async fn every_event_waits_in_the_outbox_beside_its_user_and_stays() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.update(ada.id, &json!({"role": "admin"}), OK).await;
    let items = shop.table.items().await;
    let events: Vec<Value> = items
        .into_iter()
        .filter(|item| item.contains_key("event"))
        .map(shown)
        .collect();
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(event["pk"], format!("USER#{}", ada.id));
        assert!(event["sk"].as_str().unwrap().starts_with("EVENT#"));
        assert!(event["unsent"].is_string() && event["unsent_since"].is_number());
        assert_eq!(event["expires_at"], Value::Null, "it is the user's history");
    }
}

fn shown(item: dynamo::Item) -> Value {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let number = |name: &str| {
        let number = item.get(name).and_then(|value| value.as_n().ok());
        number.and_then(|number| number.parse::<i64>().ok())
    };
    json!({
        "pk": text("pk"), "sk": text("sk"), "unsent": text("unsent"),
        "unsent_since": number("unsent_since"), "expires_at": number("expires_at")
    })
}
