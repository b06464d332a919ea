use kernel::UserId;
use kernel::Role;
use serde_json::json;
use testkit::status::*;

use crate::shop::Shop;

#[tokio::test]
async fn a_person_sees_their_account_as_it_is_now() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.register("bob@example.com").await;
    for path in ["/api/auth/me", "/api/users/profile"] {
        let reply = ada.client(&shop.me).get(path, OK).await;
        let expected = json!({
            "id": ada.id, "email": "ada@example.com", "name": "Ada Lovelace", "phone": null,
            "role": "user", "status": "active", "emailVerified": false, "mfaEnabled": false,
            "createdAt": "2026-01-01T00:00:00Z", "bio": null, "avatar": null, "birthDate": null,
        "gender": null,
        "preferences": {"email": true, "sms": false, "push": true, "marketing": false}
        });
        assert_eq!(reply.body["data"], expected);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    shop.update(ada.id, &json!({"role": "moderator"}), OK).await;
    let reply = ada.client(&shop.me).get("/api/auth/me", OK).await;
    assert_eq!(reply.body["data"]["role"], "moderator");
}

#[tokio::test]
async fn it_needs_a_session_of_somebody_who_is_there() {
    let shop = Shop::open().await;
    shop.me.get("/api/auth/me", UNAUTHORIZED).await;
    shop.me.as_internal().get("/api/auth/me", FORBIDDEN).await;
    let nobody = shop.me.as_user(testkit::new_id::<UserId>(), Role::User);
    let reply = nobody.get("/api/auth/me", NOT_FOUND).await;
    assert_eq!(reply.body["code"], "not_found");
}
