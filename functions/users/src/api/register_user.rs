//! Creates an account and begins a session.

use std::sync::Arc;

use contracts::{Envelope, events::UserRegistered};
use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, SealKey, grant,
    http::{Access, ApiError, Endpoint, HeaderMap, Json, Reply, RequestCause, SourceIp, State},
};

use super::support::{rate_limits::limit_by_ip, sessions};
use crate::{
    app::App,
    credentials::{
        passwords,
        tokens::{KeyRing, MailToken},
    },
    domain::{Email, MailTokenRecord, Password, PersonName, Phone, User, known_words},
    store::NewUser,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

pub fn function() -> Function {
    Endpoint::new("register-user", Access::Public, GRANTS)
        .post("/api/auth/register", register_user)
        .post("/api/users/register", register_user)
        .guard(limit_by_ip)
        .start(App::start_with_password_rules)
}

#[derive(Debug)]
struct RegisterUser {
    email: Email,
    password: Password,
    name: PersonName,
    phone: Option<Phone>,
}

impl FromInput for RegisterUser {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let email: Option<Email> = fields.required("email");
        let name: Option<PersonName> = fields.required("name");
        let phone = fields.optional("phone");
        let known_words = known_words(email.as_ref(), name.as_ref());
        let password = fields.required_with("password", |value| {
            Password::from_input(value)?.require_strong(&known_words)
        });
        fields.finish(|| {
            Some(Self {
                password: password?,
                email: email.clone()?,
                name: name.clone()?,
                phone,
            })
        })
    }
}

/// Creates an account and begins a session. The same transaction announces
/// [`UserRegistered`], with the token for the e-mail that verifies the address.
///
/// # Errors
/// 429 for too many requests from one address; 409 `email_taken`; 422 with every
/// invalid field.
async fn register_user(
    State(app): State<Arc<App<(KeyRing, SealKey)>>>,
    SourceIp(ip): SourceIp,
    headers: HeaderMap,
    RequestCause(cause): RequestCause,
    Json(input): Json<RegisterUser>,
) -> Result<Reply, ApiError> {
    let (tokens, mail_key) = &app.credentials;
    let random = app.host.random();
    let password_hash = passwords::hash(input.password, random).await?;
    let now = app.host.now();
    let contact = (input.email, input.name, input.phone);
    let user = User::new(app.host.new_id(), contact, password_hash, now);
    let (session, refresh) = sessions::begin(&app.host, &user, now);
    let session = session.begun_from(ip, sessions::device(&headers));
    let verification = MailToken::generate(random);
    let sealed = mail_key.seal(verification.reveal());
    let registered = UserRegistered {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        sealed_verification_token: sealed.map_err(ApiError::internal)?,
    };
    let new = NewUser {
        user: &user,
        session: &session,
        verification_hash: &verification.hash(),
        verification: &MailTokenRecord::verify_current_email(&user, now),
        registered: &Envelope::new(&registered, app.host.stamp(now, &cause)),
    };
    app.store.register(&new).await?;
    let view = sessions::signed_in(&app, tokens, &user, &session, &refresh)?;
    let location = format!("/api/users/{}", user.id);
    Ok(Reply::created("account created", &location, &view))
}
