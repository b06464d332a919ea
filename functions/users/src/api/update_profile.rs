//! Changes the caller's own account.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{UserUpdated, UserVerificationRequested},
};
use dynamo::{Attempts, RateLimit};
use jiff::{civil::Date, tz::TimeZone};
use kernel::{Cause, SignedDuration, Timestamp};
use runtime::{
    Function, Grant, SealKey, Stopwatch, grant,
    http::{Access, ApiError, Endpoint, HeaderMap, Json, Reply, RequestCause, SignedIn, State},
};

use super::support::{
    accounts::find_user,
    current_password,
    events::user_updated,
    rate_limits::{self, NEW_ADDRESS_MAILS, Recipient},
    reauthentication,
    timing::pad_to_interval,
    views::UserView,
};
use crate::{
    app::App,
    credentials::{second_factors::SecondFactors, tokens::MailToken},
    domain::{Email, MailTokenRecord, ProfileChange, TokenPurpose, User},
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

/// New addresses that a user may request: each sends an e-mail to somebody.
const NEW_ADDRESSES: RateLimit = RateLimit {
    name: "new-addresses",
    requests: 10,
    window: SignedDuration::from_hours(24),
};

type ProfileApp = App<(SealKey, SecondFactors)>;

pub fn function() -> Function {
    Endpoint::new("update-profile", Access::SignedIn, GRANTS)
        .put("/api/users/profile", update_profile)
        .start(ProfileApp::start)
}

/// Changes the fields that are present, removes those that are null, leaves the others,
/// and announces [`UserUpdated`] in the same transaction.
///
/// A new e-mail address requires the password, and a code where there is a second
/// factor, since whoever has the address has the account. It takes effect once the link in the e-mail is followed. The reply does
/// not reveal whether another account has the address.
///
/// # Errors
/// 422 with every invalid field; 403 `reauthentication_required`; 429 for the eleventh new address in a day; 409
/// `user_changed` when all attempts met conflicts.
async fn update_profile(
    State(app): State<Arc<ProfileApp>>,
    caller: SignedIn,
    RequestCause(cause): RequestCause,
    Json(change): Json<ProfileChange>,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    let now = app.host.now();
    // Before the password, which must not count as an attempt when this is refused.
    user.with_profile(&change, date(now))?;
    let mut headers = HeaderMap::new();
    if let Some(email) = &change.email {
        let password = change.current_password.clone();
        current_password::require(&app.store, &caller, &user, password, now).await?;
        let (_, factors) = &app.credentials;
        let factor = (&user, change.otp.clone());
        reauthentication::require_factor(&app.store, factors, &caller, factor, now).await?;
        if *email != user.email {
            let detail = "too many new addresses; try again tomorrow";
            let key = user.id.to_string();
            let stopwatch = Stopwatch::start();
            let limited = rate_limits::enforce(&app.store, &NEW_ADDRESSES, &key, now, detail).await;
            let requested = match &limited {
                Ok(_) => request_verification(&app, &user, email, now, &cause).await,
                Err(_) => Ok(()),
            };
            pad_to_interval(stopwatch).await;
            headers = limited?;
            requested.map_err(|error| error.with_headers(headers.clone()))?;
        }
    }
    let reply = store_change(&app, user, &change, &cause).await;
    rate_limits::with_headers(reply, headers)
}

async fn store_change(
    app: &ProfileApp,
    mut user: User,
    change: &ProfileChange,
    cause: &Cause,
) -> Result<Reply, ApiError> {
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let Some(changed) = user.with_profile(change, date(now))? else {
            return Ok(Reply::ok("your account", &UserView::from(&user)));
        };
        let stamp = app.host.stamp(now, cause);
        let updated = Envelope::new::<UserUpdated>(&user_updated(&changed), stamp);
        match app.store.update_user(&changed, &updated).await {
            Ok(()) => return Ok(Reply::ok("account changed", &UserView::from(&changed))),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        user = find_user(&app.store, user.id).await?;
    }
    Err(UpdateUserError::Conflict.into())
}

fn date(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Requests the e-mail to a new address, unless another account has the address or too
/// many were sent to it; neither the reply nor the time reveals which.
async fn request_verification(
    app: &ProfileApp,
    user: &User,
    email: &Email,
    now: Timestamp,
    cause: &Cause,
) -> Result<(), ApiError> {
    let counted = (email.as_str(), Recipient::Eligible);
    let is_admitted = NEW_ADDRESS_MAILS.admits(&app.store, counted, now).await?;
    let token = MailToken::generate(app.host.random());
    let (mail_key, _) = &app.credentials;
    let sealed_token = mail_key.seal(token.reveal());
    let requested = UserVerificationRequested {
        user_id: user.id,
        email: email.as_str().to_owned(),
        sealed_token: sealed_token.map_err(ApiError::internal)?,
        replaces_current: Some(true),
    };
    let requested = Envelope::new(&requested, app.host.stamp(now, cause));
    let record = MailTokenRecord::verify_new_email(user, email.clone(), now);
    let is_taken = app.store.user_by_email(email.as_str()).await?.is_some();
    if is_taken || !is_admitted {
        app.store.store_decoy(&record, &requested, now).await?;
    } else {
        let purpose = TokenPurpose::Verification;
        app.store
            .store_mail_token(purpose, &token.hash(), &record, &requested)
            .await?;
    }
    Ok(())
}
