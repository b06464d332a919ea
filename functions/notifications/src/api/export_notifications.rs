//! `export-notifications`: what the service holds on a person, a page at a
//! time. Called by `export-account`.

use std::sync::Arc;

use contracts::calls::{ExportNotifications, ExportedNotifications};
use dynamo::Table;
use kernel::Limit;
use runtime::{Environment, Error, Function, Grant, call, grant};
use serde_json::json;

use super::list_notifications::NotificationView;
use crate::{
    domain::Reach,
    store::{Listed, Store},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

/// The function.
pub fn function() -> Function {
    call::service(
        "export-notifications",
        GRANTS,
        start,
        |store, call| async move { export_notifications(store, call).await },
    )
}

async fn start(environment: Environment) -> Result<Store, Error> {
    Ok(Store::new(Table::open(&environment).await?))
}

/// How the person is reached, and a page of what they were told: what
/// `GET /api/notifications` shows of it. The tokens in mails are no part of it.
///
/// # Errors
/// When the store fails.
pub async fn export_notifications(
    store: Arc<Store>,
    call: ExportNotifications,
) -> Result<ExportedNotifications, Error> {
    let contact = match store.reach(call.user_id).await? {
        Reach::At(contact) => Some(json!({
            "email": contact.email, "name": contact.name, "preferences": contact.preferences,
            "updatedAt": contact.updated_at,
        })),
        Reach::Unknown | Reach::Erased => None,
    };
    let (listed, more) = store.list(call.user_id, Limit::MOST, call.after).await?;
    let last = listed.last().map(Listed::id).transpose()?;
    let views = listed.into_iter().map(NotificationView::of);
    let notifications = views.map(|view| Ok(serde_json::to_value(view?)?));
    Ok(ExportedNotifications {
        contact,
        notifications: notifications.collect::<Result<_, Error>>()?,
        next: last.filter(|_| more),
    })
}
