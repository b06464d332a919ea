//! `export-notifications`: a user's contact data and notifications, a page at a
//! time, for the export of an account. Called by `export-account`.

use std::sync::Arc;

use contracts::calls::{ExportNotifications, ExportedNotifications};
use kernel::Limit;
use runtime::{Error, Function, Grant, call, grant};
use serde_json::json;

use super::views::NotificationView;
use crate::{app::App, domain::ContactState, store::ListedNotification};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

pub fn function() -> Function {
    call::service(
        "export-notifications",
        GRANTS,
        App::start,
        |app, call| async move { export_notifications(app, call).await },
    )
}

/// Exports what `GET /api/notifications` shows, newest first. The tokens in
/// emails are not part of it.
async fn export_notifications(
    app: Arc<App>,
    call: ExportNotifications,
) -> Result<ExportedNotifications, Error> {
    let contact = match app.store.contact(call.user_id).await? {
        ContactState::Known(contact) => Some(json!({
            "email": contact.email, "name": contact.name, "preferences": contact.preferences,
            "updatedAt": contact.updated_at,
        })),
        ContactState::Unknown | ContactState::Erased => None,
    };
    let (listed, has_more) = app
        .store
        .list(call.user_id, Limit::MOST, call.after)
        .await?;
    let last = listed.last().map(ListedNotification::id).transpose()?;
    let views = listed.into_iter().map(NotificationView::try_from);
    let notifications = views.map(|view| Ok(serde_json::to_value(view?)?));
    Ok(ExportedNotifications {
        contact,
        notifications: notifications.collect::<Result<_, Error>>()?,
        next: last.filter(|_| has_more),
    })
}
