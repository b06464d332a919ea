//! Changes what a person says of themselves.

use std::{sync::Arc, time::Instant};

use contracts::{
    Envelope,
    events::{UserUpdated, UserVerificationRequested},
};
use dynamo::RateLimit;
use jiff::tz::TimeZone;
use kernel::{Cause, SignedDuration, Timestamp};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};

use super::{
    TRIES_MAX, current_password,
    errors::not_sealed,
    limits::{MAILS, require_within},
    paced::until_whole_step,
    update_user::announcement,
    views::UserView,
};
use crate::{
    app::Mails,
    domain::{Email, ProfileChange, Proof, User},
    store::{Purpose, UpdateUserError},
    tokens::MailToken,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

/// New addresses that a person may ask for: each is a mail to somebody.
const NEW_ADDRESSES: RateLimit = RateLimit {
    name: "new-addresses",
    most: 10,
    window: SignedDuration::from_hours(24),
};

/// The function `update-profile`.
pub fn function() -> Function {
    endpoint().start(Mails::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mails>> {
    Endpoint::new("update-profile", Access::SignedIn, GRANTS)
        .put("/api/users/profile", update_profile)
}

/// Changes the fields that are named, takes away those that are null, leaves
/// the others, and announces it as [`UserUpdated`] in the same write.
///
/// A new e-mail address is another matter: it takes the password, since who
/// has the address has the account, and it counts once the link in the mail
/// that goes there was followed. The reply does not tell whether somebody
/// else has it.
///
/// # Errors
/// 422 with every field that is wrong; 429 for the eleventh new address in a
/// day; 409 `user_changed` when others keep changing the account.
pub async fn update_profile(
    State(app): State<Arc<Mails>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    Json(change): Json<ProfileChange>,
) -> Result<Reply, ApiError> {
    for tried in 0..TRIES_MAX {
        let user = app.store.user(person.user_id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user"))?;
        let now = app.clock.now();
        let today = now.to_zoned(TimeZone::UTC).date();
        let changed = user.with_profile(&change, today)?;
        if let (0, Some(email)) = (tried, &change.email) {
            current_password::require(&app.store, &user, change.current_password.clone(), now)
                .await?;
            if *email != user.email {
                let begun = Instant::now();
                let outcome = request_verification(&app, &user, email, now, &cause).await;
                until_whole_step(begun).await;
                outcome?;
            }
        }
        let Some(changed) = changed else {
            return Ok(Reply::ok("your account", &UserView::from(&user)));
        };
        let updated = Envelope::new::<UserUpdated>(&announcement(&changed), now, &cause);
        match app.store.update_user(&changed, &updated).await {
            Ok(()) => return Ok(Reply::ok("account changed", &UserView::from(&changed))),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateUserError::Conflict.into())
}

/// Has a mail sent to the new address, unless it is somebody's already or gets
/// too many; neither is told, nor does the time tell.
async fn request_verification(
    app: &Mails,
    user: &User,
    email: &Email,
    now: Timestamp,
    cause: &Cause,
) -> Result<(), ApiError> {
    let detail = "too many new addresses; come again tomorrow";
    let key = user.id.to_string();
    require_within(&app.store, &NEW_ADDRESSES, &key, now, detail).await?;
    let quota = app.store.take(&MAILS, email.as_str(), now).await?;
    let token = MailToken::generate()?;
    let requested = UserVerificationRequested {
        user_id: user.id,
        email: email.as_str().to_owned(),
        sealed_token: app.mail_key.seal(token.reveal()).map_err(not_sealed)?,
    };
    let requested = Envelope::new(&requested, now, cause);
    let proof = Proof::of_new_address(user, email.clone(), now);
    let taken = app.store.user_by_email(email.as_str()).await?.is_some();
    if taken || !quota.admitted {
        app.store.pretend_to_issue(&proof, &requested, now).await?;
    } else {
        let purpose = Purpose::Verification;
        app.store
            .issue(purpose, &token.hash(), &proof, &requested)
            .await?;
    }
    Ok(())
}
