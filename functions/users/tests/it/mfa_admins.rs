//! Admins, where a second factor is required of them.

use std::sync::Arc;

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Client, status::*};
use users::{
    api,
    app::{Authorizer, SignIns},
    domain::AdminMfa,
    internal_key::InternalKey,
    store::Store,
};

use crate::{
    mfa::code,
    shop::{INTERNAL_KEY, PASSWORD, Person, Shop, ask, tokens, versions},
};

/// What an authorizer that requires it says of a token.
async fn context(shop: &Shop, token: &str) -> Value {
    let authorizer = Authorizer {
        store: Store::new(shop.table.table()),
        clock: shop.clock.clone(),
        tokens: tokens().into(),
        internal_key: InternalKey::new(&versions(INTERNAL_KEY, None)).unwrap(),
        admin_mfa: AdminMfa::Required,
    };
    let authorize = api::authorize::handler(Arc::new(authorizer));
    let headers = json!({"authorization": format!("Bearer {token}")});
    ask(&authorize, &headers).await.unwrap()["context"].clone()
}

async fn admin(shop: &Shop) -> Person {
    let ada = shop.register("ada@example.com").await;
    shop.update(ada.id, &json!({"role": "admin"}), OK).await;
    ada
}

#[tokio::test]
async fn a_role_is_withheld_until_the_session_has_shown_a_second_factor() {
    let shop = Shop::open().await;
    let ada = admin(&shop).await;
    let said = context(&shop, &ada.token).await;
    assert_eq!(
        (&said["role"], &said["withheld"]),
        (&json!("user"), &json!("admin"))
    );
    let other = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);

    let secret = shop.enroll(&ada).await;
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
    let said = context(&shop, &ada.token).await;
    assert_eq!(
        (&said["role"], &said["withheld"]),
        (&json!("admin"), &Value::Null)
    );
    // The other session was made with the password alone.
    assert_eq!(context(&shop, &other.token).await["role"], "user");
    let next = code(&secret, &shop.clock, 1);
    let with = Person::of(&shop.log_in_with("ada@example.com", &next, OK).await);
    assert_eq!(context(&shop, &with.token).await["role"], "admin");

    // Refreshing keeps what was shown, and so does a new password.
    let fresh = Person::of(&shop.refresh(&ada.refresh, OK).await);
    assert_eq!(context(&shop, &fresh.token).await["role"], "admin");
    let body = json!({"currentPassword": PASSWORD, "newPassword": "seven otters paint the moon"});
    let client = fresh.client(&shop.change_password);
    client.put("/api/users/password", &body, OK).await;
    assert_eq!(context(&shop, &fresh.token).await["role"], "admin");
}

#[tokio::test]
async fn turning_it_off_takes_the_rights_of_every_session() {
    let shop = Shop::open().await;
    let ada = admin(&shop).await;
    let secret = shop.enroll(&ada).await;
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
    let next = code(&secret, &shop.clock, 1);
    let other = Person::of(&shop.log_in_with("ada@example.com", &next, OK).await);
    assert_eq!(context(&shop, &other.token).await["role"], "admin");
    shop.clock.advance(SignedDuration::from_secs(60));
    let next = code(&secret, &shop.clock, 0);
    shop.disable(&ada, &next, OK).await;
    let said = context(&shop, &ada.token).await;
    assert_eq!(
        (&said["role"], &said["withheld"]),
        (&json!("user"), &json!("admin"))
    );
    // Nor do they come back with another factor: that session is over.
    let secret = shop.enroll(&ada).await;
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
    assert_eq!(context(&shop, &ada.token).await["role"], "admin");
    let said = context(&shop, &other.token).await;
    assert_eq!(said["reason"], "session_ended");
}

/// Others ask what a token is worth, or read it from the token itself.
#[tokio::test]
async fn neither_the_token_nor_its_check_says_a_role_that_is_withheld() {
    let shop = Shop::open().await;
    let ada = admin(&shop).await;
    let app = Arc::new(SignIns {
        admin_mfa: AdminMfa::Required,
        ..SignIns::new(shop.table.table(), shop.clock.clone(), tokens())
    });
    macro_rules! client {
        ($module:ident) => {{
            let app = app.clone();
            let function = api::$module::endpoint().start(move |_| {
                let app = app.clone();
                async move { Ok(app) }
            });
            Client::new(shop.table.start(&function).await)
        }};
    }
    let (refresh, verify) = (client!(refresh_tokens), client!(verify_token));
    let body = json!({ "refreshToken": ada.refresh });
    let fresh = Person::of(&refresh.post("/api/auth/refresh", &body, OK).await);
    let claims = tokens().verify(&fresh.token, shop.clock.now()).unwrap();
    assert_eq!(claims.role.as_str(), "user");
    let body = json!({ "token": fresh.token });
    let reply = verify.post("/api/auth/verify", &body, OK).await;
    assert_eq!(reply.body["data"]["role"], "user");
}
