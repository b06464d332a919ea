//! Lists accounts for admins.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{
    Limit, Page,
    input::{FieldErrors, Fields},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, FromQuery, PageQuery, Query, Reply, State},
};

use super::support::views::UserDetails;
use crate::{
    app::App,
    domain::{EMAIL_LENGTH_MAX, Email, parse_role},
    store::UserFilter,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable/index/by-email"),
];

pub fn function() -> Function {
    Endpoint::new("list-users", Access::AdminOrInternal, GRANTS)
        .get("/api/users", list_users)
        .start(App::start)
}

#[derive(Debug)]
struct ListUsers {
    filter: UserFilter,
    limit: Limit,
    cursor: Option<String>,
}

impl FromQuery for ListUsers {
    fn from_query(mut fields: Fields<'_>) -> Result<Self, FieldErrors> {
        let filter = UserFilter {
            status: fields.optional("status"),
            role: fields.optional_with("role", parse_role),
            email_prefix: fields.optional_with("email", |value| {
                Ok(Email::normalise(&value.trimmed(1..=EMAIL_LENGTH_MAX)?))
            }),
        };
        let PageQuery { limit, cursor } = PageQuery::read(&mut fields);
        fields.finish(|| {
            Some(Self {
                filter,
                limit,
                cursor,
            })
        })
    }
}

/// A page of accounts by address, with the total number unless the list is filtered by
/// address.
///
/// # Errors
/// 422 for an invalid parameter.
async fn list_users(
    State(app): State<Arc<App<CursorKey>>>,
    Query(query): Query<ListUsers>,
) -> Result<Reply, ApiError> {
    let list = format!("users {:?}", query.filter);
    let open = |cursor: String| app.credentials.open::<String>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let ((users, last), total) = tokio::try_join!(
        app.store.list_users(&query.filter, query.limit, after),
        app.store.count_users(&query.filter),
    )?;
    let page = Page {
        items: users.iter().map(UserDetails::from).collect(),
        limit: query.limit,
        next_cursor: last.and_then(|last| app.credentials.seal(&list, &last)),
    };
    Ok(Reply::page("users", &page).with_total(total))
}
