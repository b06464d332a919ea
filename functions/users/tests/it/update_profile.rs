use contracts::events::UserUpdated;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::shop::{PASSWORD, Person, Shop};

async fn update(shop: &Shop, who: &Person, body: &Value, expected: StatusCode) -> Reply {
    let client = who.client(&shop.update_profile);
    client.put("/api/users/profile", body, expected).await
}

#[tokio::test]
async fn what_is_named_changes_what_is_null_goes_and_the_rest_stays() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({
        "name": " Ada King ", "phone": "+442071838750", "bio": " Counts. ",
        "avatar": "https://example.com/ada.png", "birthDate": "1915-12-10",
        "gender": "prefer_not_to_say", "preferences": {"sms": true}
    });
    let reply = update(&shop, &ada, &body, OK).await;
    let expected = json!({
        "id": ada.id, "email": "ada@example.com", "name": "Ada King", "phone": "+442071838750",
        "role": "user", "status": "active", "emailVerified": false, "mfaEnabled": false,
        "createdAt": "2026-01-01T00:00:00Z", "bio": "Counts.",
        "avatar": "https://example.com/ada.png", "birthDate": "1915-12-10",
        "gender": "prefer_not_to_say",
        "preferences": {"email": true, "sms": true, "push": true, "marketing": false}
    });
    assert_eq!(reply.body["data"], expected);
    let me = ada.client(&shop.me).get("/api/users/profile", OK).await;
    assert_eq!(me.body["data"], expected);

    let body = json!({"phone": null, "bio": null, "gender": null, "preferences": {"push": false}});
    let reply = update(&shop, &ada, &body, OK).await;
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
async fn each_change_is_announced_once_and_no_change_is_not() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for _ in 0..3 {
        update(&shop, &ada, &json!({"name": "Ada King"}), OK).await;
    }
    update(&shop, &ada, &json!({}), OK).await;
    update(&shop, &ada, &json!({"preferences": {"email": true}}), OK).await;
    assert_eq!(
        shop.table.event_types().await,
        ["user.registered", "user.updated"]
    );
    let event = shop.table.events().await.pop().unwrap();
    assert_eq!(event.read::<UserUpdated>().unwrap().name, "Ada King");
    assert_eq!(event.actor, format!("user:{}", ada.id));
    update(&shop, &ada, &json!({"preferences": {"email": false}}), OK).await;
    let event = shop.table.events().await.pop().unwrap();
    assert_eq!(
        event.data["preferences"],
        json!({"email": false, "sms": false, "push": true, "marketing": false})
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let wrong = json!({
        "name": null, "phone": "030", "bio": "x".repeat(501), "avatar": "javascript:x",
        "birthDate": "1815-12-10", "gender": "yes", "preferences": {"fax": true, "sms": "x"},
        "role": "admin", "status": "active", "emailVerified": true
    });
    let reply = update(&shop, &ada, &wrong, UNPROCESSABLE_ENTITY).await;
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
    let reply = update(&shop, &ada, &future, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/birthDate"]);
    update(&shop, &ada, &json!({"birthDate": "2026-01-01"}), OK).await;
    shop.update_profile
        .put("/api/users/profile", &json!({}), UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn a_new_address_takes_the_password_and_does_not_tell_who_has_it() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.register("bob@example.com").await;
    let without = json!({"email": "new@example.com"});
    let reply = update(&shop, &ada, &without, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    let wrong = json!({"email": "new@example.com", "currentPassword": "wrong horse battery"});
    let reply = update(&shop, &ada, &wrong, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    assert!(
        shop.mailed_token("user.verification_requested")
            .await
            .is_none()
    );
    let mut bodies = Vec::new();
    for (email, sent) in [("bob@example.com", 0), ("new@example.com", 1)] {
        let before = shop.table.events().await.len();
        let body = json!({"email": email, "currentPassword": PASSWORD});
        let mut reply = update(&shop, &ada, &body, OK).await;
        reply.body["meta"]["requestId"] = Value::Null;
        bodies.push(reply.body);
        assert_eq!(shop.table.events().await.len() - before, sent, "{email}");
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_password_reset_takes_back_an_address_that_was_asked_for_before() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({"email": "thief@example.com", "currentPassword": PASSWORD});
    update(&shop, &ada, &body, OK).await;
    let stolen = shop
        .mailed_token("user.verification_requested")
        .await
        .unwrap();
    let body = json!({"email": "ada@example.com"});
    shop.forgot
        .post("/api/auth/forgot-password", &body, ACCEPTED)
        .await;
    let token = shop
        .mailed_token("user.password_reset_requested")
        .await
        .unwrap();
    let body = json!({"token": token, "password": "seven otters paint the moon"});
    shop.reset.post("/api/auth/reset-password", &body, OK).await;
    let body = json!({ "token": stolen });
    shop.verify_email
        .post("/api/auth/verify-email", &body, UNPROCESSABLE_ENTITY)
        .await;
}

#[tokio::test]
async fn nobody_is_sent_many_mails_by_one_who_is_signed_in() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let eve = shop.register("eve@example.com").await;
    let ask = |email: &str| json!({"email": email, "currentPassword": PASSWORD});
    // Five an hour to one address, whoever asks; the reply does not tell.
    for person in [&ada, &eve, &ada, &eve, &ada, &eve, &ada] {
        update(&shop, person, &ask("new@example.com"), OK).await;
    }
    let mails = || async {
        let types = shop.table.event_types().await;
        let asked = types.iter();
        asked
            .filter(|kind| *kind == "user.verification_requested")
            .count()
    };
    assert_eq!(mails().await, 5);
    // And ten addresses a day by one person.
    for n in 0..6 {
        update(&shop, &ada, &ask(&format!("new{n}@example.com")), OK).await;
    }
    let reply = update(&shop, &ada, &ask("one@example.com"), TOO_MANY_REQUESTS).await;
    assert_eq!(reply.body["code"], "too_many_requests");
    assert_eq!(mails().await, 11);
}
