//! The sample events in `events/` are what the functions take.

use std::{fs, path::Path};

use http::StatusCode;
use runtime::{Context, Handler, LambdaEvent};
use serde_json::{Value, json, value::RawValue};

use crate::shop::Shop;

async fn invoke(handler: &Handler, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../events/{name}.json"));
    let json =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let event: Box<RawValue> = serde_json::from_str(&json).unwrap();
    let reply = handler(LambdaEvent::new(event, Context::default()))
        .await
        .unwrap();
    serde_json::from_str(reply.get()).unwrap()
}

#[tokio::test]
async fn every_function_takes_its_sample() {
    use users::api;
    let shop = Shop::open().await;
    macro_rules! status {
        ($name:literal, $module:ident, $state:expr) => {{
            let state = $state;
            let function = api::$module::endpoint().start(move |_| {
                let state = state.clone();
                async move { Ok(state) }
            });
            assert_eq!(function.name, $name);
            let handler = shop.table.start(&function).await;
            let reply = invoke(&handler, $name).await;
            let status = reply["statusCode"].as_u64().unwrap();
            StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap()
        }};
    }
    let clock = shop.clock.clone();
    let sign_ins =
        || users::app::SignIns::new(shop.table.table(), clock.clone(), crate::shop::tokens());
    let app = std::sync::Arc::new(users::app::App::new(shop.table.table(), clock.clone()));
    let mail = crate::shop::versions(crate::shop::MAIL_SECRET, None);
    let registration = std::sync::Arc::new(users::app::Registration::new(sign_ins(), mail));
    let shared = std::sync::Arc::new(sign_ins());
    let keys = users::app::PublicKeys::new(clock.clone(), crate::shop::tokens());
    let keys = std::sync::Arc::new(keys);
    assert_eq!(status!("register-user", register_user, registration), 201);
    let log_ins = std::sync::Arc::new(users::app::LogIns {
        sign_ins: sign_ins(),
        factors: crate::shop::mfa(&shop.table, &clock).factors,
    });
    assert_eq!(status!("log-in", log_in, log_ins), 200);
    let mfa = std::sync::Arc::new(crate::shop::mfa(&shop.table, &clock));
    assert_eq!(
        status!("refresh-tokens", refresh_tokens, shared.clone()),
        401,
        "of no session here"
    );
    let mails = crate::shop::versions(crate::shop::MAIL_SECRET, None);
    let mails = users::app::Mails::new(shop.table.table(), clock.clone(), mails);
    let mails = std::sync::Arc::new(mails);
    macro_rules! statuses {
        ($($name:literal $module:ident $state:ident $status:literal),+ $(,)?) => {
            $(assert_eq!(status!($name, $module, $state.clone()), $status, $name);)+
        };
    }
    // What is about a person finds nobody here; what tells nobody says so too.
    statuses! {
        "verify-token" verify_token shared 401,
        "verify-email" verify_email app 422,
        "resend-verification" resend_verification mails 202,
        "request-password-reset" request_password_reset mails 202,
        "reset-password" reset_password app 422,
        "change-password" change_password app 404,
        "get-user" get_user app 404,
        "delete-user" delete_user app 404,
        "list-sessions" list_sessions app 404,
        "end-session" end_session app 404,
        "update-profile" update_profile mails 404,
        "list-addresses" list_addresses app 200,
        "add-address" add_address app 201,
        "change-address" change_address app 404,
        "remove-address" remove_address app 404,
        "enroll-mfa" enroll_mfa mfa 404,
        "confirm-mfa" confirm_mfa mfa 404,
        "disable-mfa" disable_mfa mfa 404,
        "reset-mfa" reset_mfa app 404,
    }
    assert_eq!(status!("log-out", log_out, app.clone()), 200);
    assert_eq!(
        status!("get-current-user", get_current_user, app.clone()),
        404,
        "nobody here"
    );
    assert_eq!(status!("update-user", update_user, app), 404, "nobody here");
    let closer = shop.table.start(&api::close_account::function()).await;
    assert_eq!(invoke(&closer, "close-account").await["statusCode"], 404);
    let eraser = users::events::erase_accounts::function();
    let eraser = shop.table.start(&eraser).await;
    assert_eq!(
        invoke(&eraser, "erase-accounts").await,
        json!({"erased": 0})
    );
    assert_eq!(status!("serve-jwks", serve_jwks, keys), 200);
    let lister = shop.table.start(&api::list_users::function()).await;
    assert_eq!(invoke(&lister, "list-users").await["statusCode"], 200);
    let history = api::get_user_history::function();
    let history = shop.table.start(&history).await;
    let reply = invoke(&history, "get-user-history").await;
    assert_eq!(reply["statusCode"], 404, "nobody here");
    let reply = invoke(&shop.authorize, "authorize").await;
    assert_eq!(
        reply,
        json!({"isAuthorized": true, "context": {"kind": "none"}})
    );
}

#[test]
fn the_sample_of_the_relay_is_a_batch_of_a_stream() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/relay-user-events.json");
    let event: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let image = &event["Records"][0]["dynamodb"]["NewImage"];
    let envelope: contracts::Envelope =
        serde_json::from_str(image["event"]["S"].as_str().unwrap()).unwrap();
    envelope
        .read::<contracts::events::UserRegistered>()
        .unwrap();
    assert!(
        image["pk"]["S"]
            .as_str()
            .unwrap()
            .ends_with(&envelope.subject)
    );
}
