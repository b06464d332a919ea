//! Creates an account and begins a session.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{UserRegistered, UserRegistrationAttempted},
};
use kernel::{
    Cause, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, SealKey, Stopwatch, grant,
    http::{
        Access, ApiError, Endpoint, HeaderMap, Json, Reply, RequestCause, SourceIp, State,
        StatusCode,
    },
};

use super::support::{
    rate_limits::{REGISTRATION_MAILS, Recipient, limit_by_ip},
    sessions,
    timing::pad_to_interval,
};
use crate::{
    app::App,
    credentials::{
        passwords,
        tokens::{KeyRing, MailToken},
    },
    domain::{
        Email, MailTokenRecord, Password, PasswordHash, PersonName, Phone, Registration, User,
        known_words,
    },
    store::{NewUser, RegisterUserError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

type RegisterApp = App<(KeyRing, SealKey)>;

pub fn function() -> Function {
    Endpoint::new("register-user", Access::Public, GRANTS)
        .post("/api/auth/register", register_user)
        .post("/api/users/register", register_user)
        .guard(limit_by_ip)
        .start(RegisterApp::start_with_password_rules)
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

/// An account that does not exist yet, with what is written along with it.
struct NewAccount {
    user: User,
    verification_hash: String,
    verification: MailTokenRecord,
    registered: Envelope,
}

/// Creates an account and begins a session. The same transaction announces
/// [`UserRegistered`], with the token for the e-mail that verifies the address.
///
/// With [`Registration::Private`] neither the reply nor its time reveals whether the
/// address was taken, and no session begins.
///
/// # Errors
/// 429 for too many requests from one address; 409 `email_taken`, unless registration is
/// private; 422 with every invalid field.
async fn register_user(
    State(app): State<Arc<RegisterApp>>,
    SourceIp(ip): SourceIp,
    headers: HeaderMap,
    RequestCause(cause): RequestCause,
    Json(input): Json<RegisterUser>,
) -> Result<Reply, ApiError> {
    let stopwatch = Stopwatch::start();
    let password = without_shop_name(&app.settings.shop_name, &input)?;
    let password_hash = passwords::hash(password, app.host.random()).await?;
    let now = app.host.now();
    let new = new_account(&app, input, password_hash, &cause, now)?;
    if app.settings.registration == Registration::Private {
        let outcome = register_privately(&app, &new, &cause, now).await;
        pad_to_interval(stopwatch).await;
        outcome?;
        let message = "if the address can be registered, an e-mail to verify it is on its way";
        return Ok(Reply::done(message).with_status(StatusCode::ACCEPTED));
    }
    let (tokens, _) = &app.credentials;
    let user = &new.user;
    let (session, refresh) = sessions::begin(&app.host, user, now);
    let session = session.begun_from(ip, sessions::device(&headers));
    app.store.register(&new.to_store(), Some(&session)).await?;
    let view = sessions::signed_in(&app, tokens, user, &session, &refresh)?;
    let account = (user.id, &user.password_hash);
    let device = tokens.issue_device(account, None, app.host.random(), now);
    let location = format!("/api/users/{}", user.id);
    let view = view.with_device_token(device);
    Ok(Reply::created("account created", &location, &view))
}

/// The password, if it is strong for somebody who knows the shop as well. Parsing does not
/// know the shop; a password is judged again only if it mentions it.
fn without_shop_name(shop_name: &str, input: &RegisterUser) -> Result<Password, FieldErrors> {
    let password = input.password.clone();
    if !password.mentions(shop_name) {
        return Ok(password);
    }
    let mut known_words = known_words(Some(&input.email), Some(&input.name));
    known_words.push(shop_name);
    password.require_strong_at("/password", &known_words)
}

fn new_account(
    app: &RegisterApp,
    input: RegisterUser,
    password_hash: PasswordHash,
    cause: &Cause,
    now: Timestamp,
) -> Result<NewAccount, ApiError> {
    let contact = (input.email, input.name, input.phone);
    let user = User::new(app.host.new_id(), contact, password_hash, now);
    let verification = MailToken::generate(app.host.random());
    let (_, mail_key) = &app.credentials;
    let sealed = mail_key.seal(verification.reveal());
    let registered = UserRegistered {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        sealed_verification_token: sealed.map_err(ApiError::internal)?,
    };
    Ok(NewAccount {
        verification_hash: verification.hash(),
        verification: MailTokenRecord::verify_current_email(&user, now),
        registered: Envelope::new(&registered, app.host.stamp(now, cause)),
        user,
    })
}

impl NewAccount {
    fn to_store(&self) -> NewUser<'_> {
        NewUser {
            user: &self.user,
            verification_hash: &self.verification_hash,
            verification: &self.verification,
            registered: &self.registered,
        }
    }
}

/// Creates the account, or tells the owner of the address that somebody tried to. Either
/// takes the same calls, and writes as many items of the same size.
async fn register_privately(
    app: &RegisterApp,
    new: &NewAccount,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), ApiError> {
    let email = new.user.email.as_str();
    // An account that is created is worth its e-mail, and there is only one.
    let counted = (email, Recipient::Eligible);
    let is_admitted = REGISTRATION_MAILS.admits(&app.store, counted, now).await?;
    let mut owner = app.store.user_by_email(email).await?;
    if owner.is_none() {
        match app.store.register(&new.to_store(), None).await {
            Ok(()) => return Ok(()),
            // Somebody else has registered it since.
            Err(RegisterUserError::EmailTaken) => {}
            Err(error) => return Err(error.into()),
        }
        owner = app.store.user_by_email(email).await?;
    }
    let told = owner.filter(|owner| is_admitted && owner.may_sign_in(now));
    let attempted = told.map(|owner| {
        let attempted = UserRegistrationAttempted {
            user_id: owner.id,
            email: owner.email.as_str().to_owned(),
        };
        let stamp = app.host.stamp(now, cause);
        (owner.id, Envelope::new(&attempted, stamp))
    });
    let attempted = attempted.as_ref().map(|(owner, event)| (*owner, event));
    app.store
        .record_registration_attempt(&new.to_store(), attempted, now)
        .await?;
    Ok(())
}
