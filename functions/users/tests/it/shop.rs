//! The functions of the service on one table, one clock and one set of keys.

use std::sync::Arc;

use dynamo::Table;
use kernel::{Actor, Cause, SessionId, UserId};
use runtime::{Context, Handler, LambdaEvent, SealKey, SecretVersions, http::Role};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{Client, Clock, Reply, TestTable, status::*};
use users::{
    api::{self, close_account::Closer},
    app::{App, Authorizer, LogIns, Mails, Mfa, Registration, SignIns},
    domain::AdminMfa,
    factors::Factors,
    internal_key::InternalKey,
    store::{SCHEMA, Store},
    tokens::AccessTokens,
};

pub(crate) const INTERNAL_KEY: &str = "the internal key of the test";
pub(crate) const OLD_INTERNAL_KEY: &str = "the internal key before that";
pub(crate) const MAIL_SECRET: &str = "the secret that notifications have too";
pub(crate) const MFA_SECRET: &str = "the secret that seals second factors";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Shop {
    pub(crate) table: TestTable,
    pub(crate) clock: Clock,
    pub(crate) authorize: Handler,
    pub(crate) register: Client,
    pub(crate) log_in: Client,
    pub(crate) refresh: Client,
    pub(crate) log_out: Client,
    pub(crate) me: Client,
    pub(crate) update: Client,
    pub(crate) list_users: Client,
    pub(crate) get_user: Client,
    pub(crate) history: Client,
    pub(crate) delete_user: Client,
    pub(crate) close: Client,
    pub(crate) verify_email: Client,
    pub(crate) resend: Client,
    pub(crate) verify_token: Client,
    pub(crate) forgot: Client,
    pub(crate) reset: Client,
    pub(crate) change_password: Client,
    pub(crate) list_sessions: Client,
    pub(crate) end_session: Client,
    pub(crate) update_profile: Client,
    pub(crate) list_addresses: Client,
    pub(crate) add_address: Client,
    pub(crate) change_address: Client,
    pub(crate) remove_address: Client,
    pub(crate) enroll_mfa: Client,
    pub(crate) confirm_mfa: Client,
    pub(crate) disable_mfa: Client,
    pub(crate) reset_mfa: Client,
}

/// A person with tokens.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Person {
    pub(crate) fn of(reply: &Reply) -> Self {
        let data = &reply.body["data"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: text(&data["user"]["id"]).parse().unwrap(),
            email: text(&data["user"]["email"]),
            token: text(&data["token"]),
            refresh: text(&data["refreshToken"]),
        }
    }

    pub(crate) fn session_id(&self) -> SessionId {
        self.refresh.split_once('.').unwrap().0.parse().unwrap()
    }

    /// A client as this person, as the authorizer would say.
    pub(crate) fn client(&self, client: &Client) -> Client {
        client.as_session(self.id, self.session_id(), Role::User)
    }
}

pub(crate) fn versions(current: &str, previous: Option<&str>) -> SecretVersions {
    SecretVersions {
        current: current.into(),
        previous: previous.map(str::to_owned),
    }
}

pub(crate) fn tokens() -> AccessTokens {
    let secret = versions("the secret of the test's access tokens", None);
    AccessTokens::new("emporium", &secret).unwrap()
}

/// What events of a test are caused by.
pub(crate) fn cause() -> Cause {
    Cause {
        correlation_id: "chain".into(),
        causation_id: "request".into(),
        actor: Actor::Anonymous,
    }
}

/// What turns second factors on and off.
pub(crate) fn mfa(table: &TestTable, clock: &Clock) -> Mfa {
    Mfa {
        store: Store::new(table.table()),
        clock: clock.clone(),
        factors: Factors::new(versions(MFA_SECRET, None)),
        shop: "Emporium".into(),
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_on(TestTable::create(&SCHEMA).await).await
    }

    /// The same on a table.
    pub(crate) async fn open_on(table: TestTable) -> Self {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let sign_ins = || SignIns::new(table.table(), clock.clone(), tokens());
        let shared = Arc::new(sign_ins());
        let app = Arc::new(App::new(table.table(), clock.clone()));
        let mail = versions(MAIL_SECRET, None);
        let mails = Arc::new(Mails::new(table.table(), clock.clone(), mail.clone()));
        let log_ins = Arc::new(LogIns {
            sign_ins: sign_ins(),
            factors: Factors::new(versions(MFA_SECRET, None)),
        });
        let mfa = Arc::new(mfa(&table, &clock));
        let registration = Arc::new(Registration::new(sign_ins(), mail));
        let authorizer = Authorizer {
            store: Store::new(table.table()),
            clock: clock.clone(),
            tokens: tokens().into(),
            internal_key: InternalKey::new(&versions(INTERNAL_KEY, Some(OLD_INTERNAL_KEY)))
                .unwrap(),
            admin_mfa: AdminMfa::Optional,
        };
        let closer = Closer::new(table.table(), clock.clone(), users::domain::days(30));
        let closer = Arc::new(closer);
        macro_rules! client {
            ($module:ident, $state:expr) => {{
                let state = $state.clone();
                let endpoint = api::$module::endpoint();
                let function = endpoint.start(move |_| {
                    let state = state.clone();
                    async move { Ok(state) }
                });
                Client::new(table.start(&function).await)
            }};
        }
        Self {
            authorize: api::authorize::handler(Arc::new(authorizer)),
            register: client!(register_user, registration),
            log_in: client!(log_in, log_ins),
            refresh: client!(refresh_tokens, shared),
            log_out: client!(log_out, app),
            me: client!(get_current_user, app),
            update: client!(update_user, app),
            list_users: Client::new(table.start(&api::list_users::function()).await),
            get_user: client!(get_user, app),
            history: Client::new(table.start(&api::get_user_history::function()).await),
            delete_user: client!(delete_user, app),
            close: client!(close_account, closer),
            verify_email: client!(verify_email, app),
            resend: client!(resend_verification, mails),
            verify_token: client!(verify_token, shared),
            forgot: client!(request_password_reset, mails),
            reset: client!(reset_password, app),
            change_password: client!(change_password, app),
            list_sessions: client!(list_sessions, app),
            end_session: client!(end_session, app),
            update_profile: client!(update_profile, mails),
            list_addresses: client!(list_addresses, app),
            add_address: client!(add_address, app),
            change_address: client!(change_address, app),
            remove_address: client!(remove_address, app),
            enroll_mfa: client!(enroll_mfa, mfa),
            confirm_mfa: client!(confirm_mfa, mfa),
            disable_mfa: client!(disable_mfa, mfa),
            reset_mfa: client!(reset_mfa, app),
            clock,
            table,
        }
    }

    /// The function `log-in` on another client of the table, or with other
    /// versions of the secret that seals second factors.
    pub(crate) async fn another_log_in(&self, table: Table, mfa: SecretVersions) -> Client {
        let app = Arc::new(LogIns {
            sign_ins: SignIns::new(table, self.clock.clone(), tokens()),
            factors: Factors::new(mfa),
        });
        let function = api::log_in::endpoint().start(move |_| {
            let app = app.clone();
            async move { Ok(app) }
        });
        Client::new(self.table.start(&function).await)
    }

    pub(crate) async fn register(&self, email: &str) -> Person {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada Lovelace"});
        Person::of(
            &self
                .register
                .post("/api/auth/register", &body, CREATED)
                .await,
        )
    }

    /// Every session there is, those that are over included.
    pub(crate) async fn sessions(&self) -> Vec<Value> {
        let items = self.table.items().await.into_iter();
        items
            .map(|item| serde_dynamo::from_item(item).unwrap())
            .filter(|item: &Value| item["sk"].as_str().unwrap().starts_with("SESSION#"))
            .collect()
    }

    /// The token in the mail that the last event of a type asks for.
    pub(crate) async fn mailed_token(&self, event_type: &str) -> Option<String> {
        let events = self.table.events().await;
        let event = events
            .iter()
            .rfind(|event| event.event_type == event_type)?;
        let data = &event.data;
        let sealed = data
            .get("sealedToken")
            .or(data.get("sealedVerificationToken"));
        let key = SealKey::new(versions(MAIL_SECRET, None), "email-token");
        Some(key.open(sealed?.as_str()?).unwrap())
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str, expected: StatusCode) -> Reply {
        let body = json!({"email": email, "password": password});
        let reply = self.log_in.post("/api/auth/login", &body, expected).await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_credentials");
        }
        reply
    }

    pub(crate) async fn refresh(&self, token: &str, expected: StatusCode) -> Reply {
        let body = json!({ "refreshToken": token });
        let reply = self
            .refresh
            .post("/api/auth/refresh", &body, expected)
            .await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_refresh_token");
        }
        reply
    }

    pub(crate) async fn update(&self, id: UserId, change: &Value, expected: StatusCode) -> Reply {
        let path = format!("/api/users/{id}");
        self.update
            .as_internal()
            .patch(&path, change, expected)
            .await
    }

    /// What the authorizer says of these headers.
    pub(crate) async fn context(&self, headers: &Value) -> Value {
        let reply = ask(&self.authorize, headers).await.expect("an answer");
        assert_eq!(reply["isAuthorized"], true, "the function decides");
        reply["context"].clone()
    }

    /// What the authorizer says of an access token: `user`, or why not.
    pub(crate) async fn verdict(&self, token: &str) -> String {
        let context = self
            .context(&json!({"authorization": format!("Bearer {token}")}))
            .await;
        let said = if context["kind"] == "none" {
            &context["reason"]
        } else {
            &context["kind"]
        };
        said.as_str().unwrap().to_owned()
    }
}

pub(crate) async fn ask(authorize: &Handler, headers: &Value) -> Result<Value, runtime::Error> {
    let event = json!({
        "version": "2.0", "type": "REQUEST", "routeKey": "GET /api/auth/me",
        "routeArn": "arn:aws:execute-api:eu-central-1:000000000000:api/$default/GET/api/auth/me",
        "rawPath": "/api/auth/me", "rawQueryString": "", "headers": headers,
        "requestContext": {"requestId": "test", "http": {"method": "GET", "path": "/api/auth/me"}}
    });
    let event = LambdaEvent::new(to_raw_value(&event).unwrap(), Context::default());
    let reply = authorize(event).await?;
    Ok(serde_json::from_str(reply.get()).unwrap())
}
