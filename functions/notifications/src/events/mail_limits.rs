//! Applies [`MailLimit`] to an email that is composed.

use dynamo::StoreError;

use crate::{
    app::App,
    domain::{Contact, MailLimit, Notification},
};

/// Counts an email, and returns whether it may be sent. `contact` is the
/// recipient's, if the message does not name its address itself. The same email
/// may be counted again: its place is still its own.
pub(super) async fn admits(
    app: &App,
    notification: &Notification,
    contact: Option<&Contact>,
) -> Result<bool, StoreError> {
    let fixed = notification.message.fixed_address();
    let Some(address) = fixed.or(contact.map(|contact| contact.email.as_str())) else {
        return Ok(true);
    };
    let (user_id, id) = (notification.user_id, notification.id);
    let is_verified = app.store.is_verified(user_id, address).await?;
    let Some(limit) = MailLimit::of(notification, address, is_verified) else {
        return Ok(true);
    };
    let admitted = app.store.count_mail(&limit, id, app.host.now()).await?;
    if !admitted {
        let limit = limit.name;
        tracing::warn!(limit, %id, "email suppressed: too many to its address");
    }
    Ok(admitted)
}
