//! Shows what happened to an account to those who run the shop.

use std::sync::Arc;

use contracts::Envelope;
use kernel::{EventId, Page, Timestamp, UserId};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, PageQuery, Query, Reply, State},
};
use serde::Serialize;
use serde_json::Value;

use super::list_users::Lister;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
];
/// How the names of members begin that have a token in them, sealed for
/// another service.
const SEALED: &str = "sealed";

/// The function `get-user-history`.
pub fn function() -> Function {
    endpoint().start(Lister::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Lister>> {
    Endpoint::new("get-user-history", Access::AdminOrInternal, GRANTS)
        .get("/api/users/{id}/history", get_user_history)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryView {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    at: Timestamp,
    data: Value,
    correlation_id: String,
    causation_id: String,
    actor: String,
}

/// Gives a page of a person's events, oldest first, without the tokens in them.
/// Mails that were asked for are in it for thirty days, the rest for good.
///
/// # Errors
/// 404; 422 for a parameter that is wrong.
pub async fn get_user_history(
    State(lister): State<Arc<Lister>>,
    Id(id): Id<UserId>,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("history of {id}");
    let open = |cursor: String| lister.cursors.open::<EventId>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let (user, (events, last)) = tokio::try_join!(
        lister.store.user(id),
        lister.store.history(id, query.limit, after),
    )?;
    user.ok_or_else(|| ApiError::not_found("user"))?;
    let page = Page {
        items: events.into_iter().map(entry).collect(),
        limit: query.limit,
        next_cursor: last.and_then(|last| lister.cursors.seal(&list, &last)),
    };
    Ok(Reply::page("user history", &page))
}

pub(super) fn entry(event: Envelope) -> EntryView {
    EntryView {
        id: event.id,
        event_type: event.event_type,
        at: event.time,
        data: without_tokens(event.data),
        correlation_id: event.correlationid,
        causation_id: event.causationid,
        actor: event.actor,
    }
}

/// What an event says, without what is sealed in it.
fn without_tokens(mut data: Value) -> Value {
    if let Value::Object(members) = &mut data {
        members.retain(|name, _| !name.starts_with(SEALED));
    }
    data
}
