//! `GET /api/notifications`: what the caller was told.

use std::sync::Arc;

use dynamo::{CursorKey, Table};
use jiff::Timestamp;
use kernel::{NotificationId, OrderId, Page};
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, PageQuery, Query, Reply, SignedIn, State},
};
use serde::Serialize;

use crate::{
    domain::Status,
    store::{Listed, Store},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

/// The function.
pub fn function() -> Function {
    Endpoint::new("list-notifications", Access::SignedIn, GRANTS)
        .get("/api/notifications", list_notifications)
        .start(App::start)
}

/// What the function needs.
pub struct App {
    store: Store,
    cursors: CursorKey,
}

impl App {
    async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            cursors: CursorKey::from_environment(&environment)?,
            store: Store::new(Table::open(&environment).await?),
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotificationView {
    id: NotificationId,
    #[serde(rename = "type")]
    template: String,
    title: String,
    description: String,
    channel: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<Timestamp>,
}

impl NotificationView {
    pub(super) fn of(listed: Listed) -> Result<Self, uuid::Error> {
        Ok(Self {
            id: listed.id()?,
            template: listed.template,
            title: listed.title,
            description: listed.description,
            channel: listed.channel,
            status: listed.status,
            order_id: listed.data.order_id,
            created_at: listed.created_at,
            settled_at: listed.settled_at,
        })
    }
}

/// Answers a page of the caller's notifications, newest first.
pub async fn list_notifications(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("notifications of {}", caller.user_id);
    let after: Option<NotificationId> = match &query.cursor {
        Some(cursor) => Some(app.cursors.open(&list, cursor)?),
        None => None,
    };
    let (listed, more) = app.store.list(caller.user_id, query.limit, after).await?;
    let items = listed.into_iter().map(NotificationView::of);
    let items: Result<Vec<_>, _> = items.collect();
    let items = items.map_err(ApiError::internal)?;
    let last = items.last().filter(|_| more);
    let next_cursor = last.and_then(|last| app.cursors.seal(&list, &last.id));
    let page = Page {
        items,
        limit: query.limit,
        next_cursor,
    };
    Ok(Reply::page("your notifications", &page))
}
