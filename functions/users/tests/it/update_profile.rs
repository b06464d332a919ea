//! `PUT /api/users/profile`.

use contracts::events::UserUpdated;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{NEW_PASSWORD, PASSWORD, TestUsers};

#[tokio::test]
async fn named_fields_change_nulls_are_removed_and_the_rest_is_kept() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body = json!({
        "name": " Ada King ", "phone": "+442071838750", "bio": " Counts. ",
        "avatar": "https://example.com/ada.png", "birthDate": "1915-12-10",
        "gender": "prefer_not_to_say", "preferences": {"sms": true}
    });
    let reply = users.update_profile(&ada, &body, OK).await;
    let expected = json!({
        "id": ada.id, "email": "ada@example.com", "name": "Ada King", "phone": "+442071838750",
        "role": "user", "status": "active", "emailVerified": false, "mfaEnabled": false,
        "createdAt": "2026-01-01T00:00:00Z", "bio": "Counts.",
        "avatar": "https://example.com/ada.png", "birthDate": "1915-12-10",
        "gender": "prefer_not_to_say",
        "preferences": {"email": true, "sms": true, "push": true, "marketing": false}
    });
    assert_eq!(reply.body["data"], expected);
    assert_eq!(users.me(&ada).await, expected);

    let body = json!({"phone": null, "bio": null, "gender": null, "preferences": {"push": false}});
    let reply = users.update_profile(&ada, &body, OK).await;
    let data = &reply.body["data"];
    assert_eq!(
        (&data["phone"], &data["bio"], &data["gender"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&data["name"], &data["birthDate"]),
        (&json!("Ada King"), &json!("1915-12-10"))
    );
    assert_eq!(
        data["preferences"],
        json!({"email": true, "sms": true, "push": false, "marketing": false})
    );
}

#[tokio::test]
async fn each_change_is_published_once_and_no_change_is_not_published() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for _ in 0..3 {
        users
            .update_profile(&ada, &json!({"name": "Ada King"}), OK)
            .await;
    }
    users.update_profile(&ada, &json!({}), OK).await;
    users
        .update_profile(&ada, &json!({"preferences": {"email": true}}), OK)
        .await;
    assert_eq!(
        users.table.event_types().await,
        ["user.registered", "user.updated"]
    );
    let event = users.table.events().await.pop().unwrap();
    assert_eq!(event.read::<UserUpdated>().unwrap().name, "Ada King");
    assert_eq!(event.actor, format!("user:{}", ada.id));
    users
        .update_profile(&ada, &json!({"preferences": {"email": false}}), OK)
        .await;
    let event = users.table.events().await.pop().unwrap();
    assert_eq!(
        event.data["preferences"],
        json!({"email": false, "sms": false, "push": true, "marketing": false})
    );
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let wrong = json!({
        "name": null, "phone": "030", "bio": "x".repeat(501), "avatar": "javascript:x",
        "birthDate": "1815-12-10", "gender": "yes", "preferences": {"fax": true, "sms": "x"},
        "role": "admin", "status": "active", "emailVerified": true
    });
    let reply = users
        .update_profile(&ada, &wrong, UNPROCESSABLE_ENTITY)
        .await;
    let mut fields = reply.invalid_fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "/avatar",
            "/bio",
            "/birthDate",
            "/emailVerified",
            "/gender",
            "/name",
            "/phone",
            "/preferences/fax",
            "/preferences/sms",
            "/role",
            "/status"
        ]
    );
    let future = json!({"birthDate": "2026-01-02"});
    let reply = users
        .update_profile(&ada, &future, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/birthDate"]);
    users
        .update_profile(&ada, &json!({"birthDate": "2026-01-01"}), OK)
        .await;
    users
        .client()
        .put("/api/users/profile", &json!({}), UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn a_new_email_requires_the_password_and_does_not_reveal_whether_it_is_taken() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.register("bob@example.com").await;
    let without = json!({"email": "new@example.com"});
    let reply = users
        .update_profile(&ada, &without, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    let wrong = json!({"email": "new@example.com", "currentPassword": "wrong horse battery"});
    let reply = users
        .update_profile(&ada, &wrong, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    let types = users.table.event_types().await;
    assert_eq!(types, ["user.registered", "user.registered"]);
    let mut bodies = Vec::new();
    for (email, sent) in [("bob@example.com", 0), ("new@example.com", 1)] {
        let before = users.table.events().await.len();
        let body = json!({"email": email, "currentPassword": PASSWORD});
        let mut reply = users.update_profile(&ada, &body, OK).await;
        reply.body["meta"]["requestId"] = Value::Null;
        bodies.push(reply.body);
        assert_eq!(users.table.events().await.len() - before, sent, "{email}");
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_password_reset_invalidates_an_earlier_change_of_the_email() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body = json!({"email": "thief@example.com", "currentPassword": PASSWORD});
    users.update_profile(&ada, &body, OK).await;
    let thief = users.mailed_token("user.verification_requested").await;
    let token = users.request_password_reset("ada@example.com").await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.verify_email(&thief, UNPROCESSABLE_ENTITY).await;
}

#[tokio::test]
async fn a_signed_in_user_cannot_send_many_emails_to_others() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let eve = users.register("eve@example.com").await;
    let request = |email: &str| json!({"email": email, "currentPassword": PASSWORD});
    // Five an hour to one address, whoever requests them; the reply does not
    // reveal it.
    for person in [&ada, &eve, &ada, &eve, &ada, &eve, &ada] {
        users
            .update_profile(person, &request("new@example.com"), OK)
            .await;
    }
    let emails = async || {
        let types = users.table.event_types().await;
        let requested = types.iter();
        requested
            .filter(|name| *name == "user.verification_requested")
            .count()
    };
    assert_eq!(emails().await, 5);
    // And ten addresses a day by one user.
    for n in 0..6 {
        users
            .update_profile(&ada, &request(&format!("new{n}@example.com")), OK)
            .await;
    }
    let reply = users
        .update_profile(&ada, &request("one@example.com"), TOO_MANY_REQUESTS)
        .await;
    assert_eq!(reply.body["code"], "too_many_requests");
    assert_eq!(emails().await, 11);
}
