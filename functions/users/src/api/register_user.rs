//! Opens an account and signs the person in.

use std::sync::Arc;

use contracts::{Envelope, events::UserRegistered};
use kernel::{
    Timestamp, UserId,
    input::{FromInput, FieldErrors, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Header, Json, Reply, RequestCause, SourceIp, State},
};

use super::{errors::not_sealed, limits::WithinLimits, log_in::device, views::SignedInView};
use crate::{
    app::Registration,
    domain::{Email, Password, PasswordHash, PersonName, Phone, Proof, User, known_words},
    passwords,
    store::NewUser,
    tokens::MailToken,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

/// The function `register-user`.
pub fn function() -> Function {
    endpoint().start(Registration::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Registration>> {
    Endpoint::new("register-user", Access::Public, GRANTS)
        .post("/api/auth/register", register_user)
        .post("/api/users/register", register_user)
}

/// What a person says to open an account.
#[derive(Debug)]
pub struct RegisterUser {
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
        let about = known_words(email.as_ref(), name.as_ref());
        let password = fields.required_with("password", |value| {
            Password::from_input(value)?.strong(&about)
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

impl RegisterUser {
    fn into_user(self, password_hash: PasswordHash, now: Timestamp) -> User {
        let who = (self.email, self.name, self.phone);
        User::open(testkit::new_id::<UserId>(), who, password_hash, now)
    }
}

/// Opens an account and signs the person in. In the same write it announces
/// [`UserRegistered`], with the token for the e-mail that verifies the address.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 409 `email_taken`; 422 with every field that is wrong.
pub async fn register_user(
    State(app): State<Arc<Registration>>,
    _: WithinLimits,
    SourceIp(ip): SourceIp,
    Header(headers): Header,
    RequestCause(cause): RequestCause,
    Json(input): Json<RegisterUser>,
) -> Result<Reply, ApiError> {
    let password_hash = passwords::hash(input.password.clone()).await?;
    let now = app.sign_ins.clock.now();
    let user = input.into_user(password_hash, now);
    let (session, refresh) = app.sign_ins.new_session(&user, now)?;
    let session = session.begun_from(ip, device(&headers));
    let verification = MailToken::generate()?;
    let sealed = app
        .mail_key
        .seal(verification.reveal())
        .map_err(not_sealed)?;
    let registered = UserRegistered {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        sealed_verification_token: sealed,
    };
    let new = NewUser {
        user: &user,
        session: &session,
        verification_hash: &verification.hash(),
        verification: &Proof::of_address(&user, now),
        registered: &Envelope::new(&registered, now, &cause),
    };
    app.sign_ins.store.register(&new).await?;
    let view = SignedInView::new(&app.sign_ins, &user, &session, &refresh)?;
    let location = format!("/api/users/{}", user.id);
    Ok(Reply::created("account created", &location, &view))
}
