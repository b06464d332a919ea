//! Lists accounts for those who run the shop.

use std::sync::Arc;

use dynamo::{CursorKey, Table};
use kernel::{
    Limit, Page,
    input::{Fields, FieldErrors},
};
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, FromQuery, PageQuery, Query, Reply, State},
};

use super::views::UserDetails;
use crate::{
    domain::{EMAIL_LENGTH_MAX, Email, role_of},
    store::{Store, UserFilter},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable/index/by-email"),
];

/// What listing needs.
pub struct Lister {
    pub(super) store: Store,
    pub(super) cursors: CursorKey,
}

impl Lister {
    /// From the environment: `TABLE`, `CURSOR_KEY`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            cursors: CursorKey::from_environment(&environment)?,
            store: Store::new(Table::open(&environment).await?),
        }))
    }
}

/// The function `list-users`.
pub fn function() -> Function {
    endpoint().start(Lister::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Lister>> {
    Endpoint::new("list-users", Access::AdminOrInternal, GRANTS).get("/api/users", list_users)
}

/// The query of `GET /api/users`.
#[derive(Debug)]
pub struct ListUsers {
    filter: UserFilter,
    limit: Limit,
    cursor: Option<String>,
}

impl FromQuery for ListUsers {
    fn from_query(mut fields: Fields<'_>) -> Result<Self, FieldErrors> {
        let filter = UserFilter {
            status: fields.optional("status"),
            role: fields.optional_with("role", role_of),
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

/// One page of the accounts, by address, and how many there are on all pages
/// together, but for a list by the beginning of addresses.
///
/// # Errors
/// 422 for a parameter that is wrong.
pub async fn list_users(
    State(lister): State<Arc<Lister>>,
    Query(query): Query<ListUsers>,
) -> Result<Reply, ApiError> {
    let list = format!("users {:?}", query.filter);
    let open = |cursor: String| lister.cursors.open::<String>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let ((users, last), total) = tokio::try_join!(
        lister.store.list_users(&query.filter, query.limit, after),
        lister.store.count_users(&query.filter),
    )?;
    let page = Page {
        items: users.iter().map(UserDetails::from).collect(),
        limit: query.limit,
        next_cursor: last.and_then(|last| lister.cursors.seal(&list, &last)),
    };
    Ok(Reply::page("users", &page).with_total(total))
}
