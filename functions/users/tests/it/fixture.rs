//! The service on a table of its own, and the requests that many tests send.

use kernel::{Role, SessionId, SignedDuration, UserId};
use runtime::{Context, Handler, LambdaEvent, SealKey, SecretVersions};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{Client, Clock, RecordedCalls, Reply, Service, TestTable, status::*};
use users::{
    domain::{Session, User},
    store::{LogIn, SCHEMA, Store},
};

use crate::guess_fixture::source;

pub(crate) const AUTH_SECRET: &str = "the secret of the test's access tokens";
pub(crate) const INTERNAL_KEY: &str = "the internal key of the test";
pub(crate) const OLD_INTERNAL_KEY: &str = "the internal key before that";
pub(crate) const MAIL_SECRET: &str = "the secret shared with notifications";
pub(crate) const MFA_SECRET: &str = "the secret that seals second factors";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const NEW_PASSWORD: &str = "seven otters paint the moon";

pub(crate) struct TestUsers {
    pub(crate) table: TestTable,
    service: Service,
}

/// A user with the tokens of a session.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Person {
    /// From the reply to a registration, a login or a refresh.
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
}

pub(crate) fn versions(current: &str) -> SecretVersions {
    SecretVersions {
        current: current.into(),
        previous: None,
    }
}

/// What is stored for a login with a password alone.
pub(crate) fn password_log_in<'a>(user: &'a User, session: &'a Session) -> LogIn<'a> {
    LogIn {
        user,
        session,
        reactivation: None,
        evicted: &[],
        factor: None,
        rehashed: None,
        ip: None,
        source: source(),
    }
}

pub(crate) fn full_address() -> Value {
    json!({
        "name": "Ada L.", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"
    })
}

impl TestUsers {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// Sets further variables of the environment.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let mut table = TestTable::create(&SCHEMA).await;
        for (name, value) in variables {
            table.set(name, value);
        }
        Self::on(table)
    }

    pub(crate) fn on(mut table: TestTable) -> Self {
        table.set_secret("AUTH_SECRET", AUTH_SECRET, None);
        table.set_secret("MAIL_SECRET", MAIL_SECRET, None);
        table.set_secret("MFA_SECRET", MFA_SECRET, None);
        table.set_secret("INTERNAL_KEY_SECRET", INTERNAL_KEY, Some(OLD_INTERNAL_KEY));
        Self {
            service: table.service(users::functions()),
            table,
        }
    }

    /// New instances of the functions, which read the variables and secrets again.
    pub(crate) fn new_instances(&self) -> Service {
        self.table.service(users::functions())
    }

    /// A client of a new instance of a function whose calls of the table are
    /// recorded, but for those of its start.
    pub(crate) async fn recorded(&mut self, name: &str) -> (RecordedCalls, Client) {
        let calls = self.table.record_calls().await;
        let service = self.new_instances();
        service.function(name).await;
        calls.take();
        (calls, service.client())
    }

    pub(crate) async fn function(&self, name: &str) -> Handler {
        self.service.function(name).await
    }

    pub(crate) fn client(&self) -> Client {
        self.service.client()
    }

    pub(crate) fn client_of(&self, person: &Person) -> Client {
        self.client()
            .as_session(person.id, person.session_id(), Role::User)
    }

    pub(crate) fn admin_client(&self, admin: &Person) -> Client {
        self.client()
            .as_session(admin.id, admin.session_id(), Role::Admin)
    }

    pub(crate) fn internal_client(&self) -> Client {
        self.client().as_internal()
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.table.clock()
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock().advance(by);
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.table.table())
    }

    pub(crate) async fn user(&self, id: UserId) -> User {
        self.store().user(id).await.unwrap().unwrap()
    }

    /// A session that begins now and is not stored.
    pub(crate) fn new_session(&self, user: &User) -> Session {
        Session::begin(testkit::new_id(), user, "hash".into(), self.clock().now())
    }

    pub(crate) async fn register(&self, email: &str) -> Person {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada Lovelace"});
        let client = self.client();
        let reply = client.post("/api/auth/register", &body, CREATED).await;
        Person::of(&reply)
    }

    pub(crate) async fn register_admin(&self, email: &str) -> Person {
        let admin = self.register(email).await;
        self.update(admin.id, &json!({"role": "admin"}), OK).await;
        admin
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str, expected: StatusCode) -> Reply {
        let body = json!({"email": email, "password": password});
        let reply = self.client().post("/api/auth/login", &body, expected).await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_credentials");
        }
        reply
    }

    pub(crate) async fn refresh(&self, token: &str, expected: StatusCode) -> Reply {
        let body = json!({ "refreshToken": token });
        let client = self.client();
        let reply = client.post("/api/auth/refresh", &body, expected).await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_refresh_token");
        }
        reply
    }

    pub(crate) async fn log_out(&self, person: &Person, body: &Value) {
        let client = self.client_of(person);
        client.post("/api/auth/logout", body, OK).await;
    }

    pub(crate) async fn add_address(&self, person: &Person, address: &Value) -> Reply {
        let client = self.client_of(person);
        client.post("/api/users/addresses", address, CREATED).await
    }

    pub(crate) async fn change_password(
        &self,
        person: &Person,
        (current, new): (&str, &str),
        expected: StatusCode,
    ) -> Reply {
        let body = json!({"currentPassword": current, "newPassword": new});
        let client = self.client_of(person);
        client.put("/api/users/password", &body, expected).await
    }

    /// Requests a password reset; returns the token in the email.
    pub(crate) async fn request_password_reset(&self, email: &str) -> String {
        let body = json!({ "email": email });
        let client = self.client();
        client
            .post("/api/auth/forgot-password", &body, ACCEPTED)
            .await;
        self.mailed_token("user.password_reset_requested").await
    }

    pub(crate) async fn reset_password(
        &self,
        token: &str,
        password: &str,
        expected: StatusCode,
    ) -> Reply {
        let body = json!({ "token": token, "password": password });
        let client = self.client();
        client
            .post("/api/auth/reset-password", &body, expected)
            .await
    }

    pub(crate) async fn verify_email(&self, token: &str, expected: StatusCode) -> Reply {
        let body = json!({ "token": token });
        let client = self.client();
        let reply = client.post("/api/auth/verify-email", &body, expected).await;
        if expected == UNPROCESSABLE_ENTITY {
            assert_eq!(reply.body["code"], "invalid_token");
            assert_eq!(reply.invalid_fields(), ["/token"]);
        }
        reply
    }

    /// Follows the link of an email in a session of its account.
    pub(crate) async fn verify_email_in_session(&self, person: &Person, token: &str) -> Reply {
        let bearer = format!("Bearer {}", person.token);
        let client = self.client().with_header("authorization", &bearer);
        let body = json!({ "token": token });
        client.post("/api/auth/verify-email", &body, OK).await
    }

    /// Verifies the address of a new user in their session.
    pub(crate) async fn prove(&self, person: &Person) {
        let events = self.table.events().await;
        let is_theirs = |event: &&contracts::Envelope| {
            event.event_type == "user.registered" && event.data["email"] == person.email
        };
        let event = events.iter().rfind(is_theirs).expect("registered");
        let sealed = event.data["sealedVerificationToken"].as_str().unwrap();
        let token = self.open_mail_token(sealed);
        self.verify_email_in_session(person, &token).await;
    }

    pub(crate) async fn update_profile(
        &self,
        person: &Person,
        body: &Value,
        expected: StatusCode,
    ) -> Reply {
        let client = self.client_of(person);
        client.put("/api/users/profile", body, expected).await
    }

    /// The user's own account, as they see it.
    pub(crate) async fn me(&self, person: &Person) -> Value {
        let reply = self.client_of(person).get("/api/auth/me", OK).await;
        reply.body["data"].clone()
    }

    /// Changes the role or status of an account with the internal key.
    pub(crate) async fn update(&self, id: UserId, change: &Value, expected: StatusCode) -> Reply {
        let path = format!("/api/users/{id}");
        self.internal_client().patch(&path, change, expected).await
    }

    pub(crate) async fn get_user(&self, id: UserId, expected: StatusCode) -> Value {
        let path = format!("/api/users/{id}");
        let reply = self.internal_client().get(&path, expected).await;
        reply.body["data"].clone()
    }

    /// Deactivates an account with the internal key.
    pub(crate) async fn delete_user(&self, id: UserId, expected: StatusCode) -> Reply {
        let path = format!("/api/users/{id}");
        self.internal_client().delete(&path, expected).await
    }

    /// The token in the email that the last event of a type requests.
    pub(crate) async fn mailed_token(&self, event_type: &str) -> String {
        let events = self.table.events().await;
        let event = events.iter().rfind(|event| event.event_type == event_type);
        let data = &event.unwrap_or_else(|| panic!("no {event_type}")).data;
        let sealed = data
            .get("sealedToken")
            .or(data.get("sealedVerificationToken"));
        self.open_mail_token(sealed.unwrap().as_str().unwrap())
    }

    /// Unseals a token as the notifications service does.
    pub(crate) fn open_mail_token(&self, sealed: &str) -> String {
        self.seal_key("email-token").open(sealed).unwrap()
    }

    pub(crate) fn seal_key(&self, purpose: &'static str) -> SealKey {
        let random = self.table.host().random().clone();
        SealKey::new(versions(MAIL_SECRET), purpose, random)
    }

    /// The item of every session, including those that have ended.
    pub(crate) async fn sessions(&self) -> Vec<Value> {
        let items = self.table.items().await.into_iter();
        items
            .map(|item| serde_dynamo::from_item(item).unwrap())
            .filter(|item: &Value| item["sk"].as_str().unwrap().starts_with("SESSION#"))
            .collect()
    }

    /// The item of every user.
    pub(crate) async fn stored_users(&self) -> Vec<Value> {
        self.table.items_of("USER#", "USER").await
    }

    /// The context that the authorizer gives to requests with these headers.
    pub(crate) async fn authorizer_context(&self, headers: &Value) -> Value {
        let authorize = self.function("authorize").await;
        authorizer_context(&authorize, headers).await
    }

    /// What the authorizer makes of an access token: the kind of caller, or the
    /// reason why there is none.
    pub(crate) async fn authorize(&self, token: &str) -> String {
        let headers = json!({"authorization": format!("Bearer {token}")});
        let context = self.authorizer_context(&headers).await;
        let outcome = if context["kind"] == "none" {
            &context["reason"]
        } else {
            &context["kind"]
        };
        outcome.as_str().unwrap().to_owned()
    }
}

/// Invokes an authorizer as API Gateway does. It always allows the request: the
/// function decides by the context.
pub(crate) async fn authorizer_context(authorize: &Handler, headers: &Value) -> Value {
    let event = json!({
        "version": "2.0", "type": "REQUEST", "routeKey": "GET /api/auth/me",
        "routeArn": "arn:aws:execute-api:eu-central-1:000000000000:api/$default/GET/api/auth/me",
        "rawPath": "/api/auth/me", "rawQueryString": "", "headers": headers,
        "requestContext": {"requestId": "test", "http": {"method": "GET", "path": "/api/auth/me"}}
    });
    let event = LambdaEvent::new(to_raw_value(&event).unwrap(), Context::default());
    let reply = authorize(event).await.expect("a reply");
    let reply: Value = serde_json::from_str(reply.get()).unwrap();
    assert_eq!(reply["isAuthorized"], true);
    reply["context"].clone()
}
