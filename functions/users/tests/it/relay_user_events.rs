//! The outbox that `relay-user-events` publishes from. What every relay does is
//! tested in `shared/dynamo/tests`.

use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::TestUsers;

#[tokio::test]
async fn every_event_is_stored_in_the_outbox_beside_its_user_and_kept() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.update(ada.id, &json!({"role": "admin"}), OK).await;
    let items = users.table.items().await;
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
