//! `GET /api/notifications`: the caller's notifications.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{NotificationId, Page};
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, PageQuery, Query, Reply, SignedIn, State},
};

use super::views::NotificationView;
use crate::store::Store;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

pub fn function() -> Function {
    Endpoint::new("list-notifications", Access::SignedIn, GRANTS)
        .get("/api/notifications", list_notifications)
        .start(App::start)
}

struct App {
    store: Store,
    cursors: CursorKey,
}

impl App {
    async fn start(environment: Environment) -> Result<Self, Error> {
        Ok(Self {
            cursors: CursorKey::from_environment(&environment)?,
            store: Store::open(&environment).await?,
        })
    }
}

async fn list_notifications(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("notifications of {}", caller.user_id);
    let after: Option<NotificationId> = match &query.cursor {
        Some(cursor) => Some(app.cursors.open(&list, cursor)?),
        None => None,
    };
    let (listed, has_more) = app.store.list(caller.user_id, query.limit, after).await?;
    let items = listed.into_iter().map(NotificationView::try_from);
    let items: Vec<_> = items
        .collect::<Result<_, _>>()
        .map_err(ApiError::internal)?;
    let last = items.last().filter(|_| has_more);
    let next_cursor = last.and_then(|last| app.cursors.seal(&list, &last.id));
    let page = Page {
        items,
        limit: query.limit,
        next_cursor,
    };
    Ok(Reply::page("your notifications", &page))
}
