//! `GET /api/auth/me` and `GET /api/users/profile`.

use kernel::{Role, UserId};
use serde_json::json;
use testkit::status::*;

use crate::fixture::TestUsers;

#[tokio::test]
async fn users_see_the_current_state_of_their_account() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.register("bob@example.com").await;
    for path in ["/api/auth/me", "/api/users/profile"] {
        let reply = users.client_of(&ada).get(path, OK).await;
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
    users
        .update(ada.id, &json!({"role": "moderator"}), OK)
        .await;
    assert_eq!(users.me(&ada).await["role"], "moderator");
}

#[tokio::test]
async fn a_session_of_an_existing_user_is_required() {
    let users = TestUsers::new().await;
    users.client().get("/api/auth/me", UNAUTHORIZED).await;
    users.internal_client().get("/api/auth/me", FORBIDDEN).await;
    let nobody = users
        .client()
        .as_user(testkit::new_id::<UserId>(), Role::User);
    let reply = nobody.get("/api/auth/me", NOT_FOUND).await;
    assert_eq!(reply.body["code"], "not_found");
}
