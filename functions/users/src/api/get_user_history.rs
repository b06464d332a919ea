//! Shows the history of an account to admins.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{EventId, Page, UserId};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, PageQuery, Query, Reply, State},
};

use super::support::views::EventView;
use crate::app::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("get-user-history", Access::AdminOrInternal, GRANTS)
        .get("/api/users/{id}/history", get_user_history)
        .start(App::start)
}

/// A page of a user's events, oldest first, without the tokens in them. Requests for
/// e-mails are kept for thirty days, all other events permanently.
///
/// # Errors
/// 404; 422 for an invalid parameter.
async fn get_user_history(
    State(app): State<Arc<App<CursorKey>>>,
    Id(id): Id<UserId>,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("history of {id}");
    let open = |cursor: String| app.credentials.open::<EventId>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let (user, (events, last)) = tokio::try_join!(
        app.store.user(id),
        app.store.history(id, query.limit, after),
    )?;
    user.ok_or_else(|| ApiError::not_found("user"))?;
    let page = Page {
        items: events.into_iter().map(EventView::for_admins).collect(),
        limit: query.limit,
        next_cursor: last.and_then(|last| app.credentials.seal(&list, &last)),
    };
    Ok(Reply::page("user history", &page))
}
