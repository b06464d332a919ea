//! `erase-accounts`: erases the accounts whose grace period has ended.
//!
//! One transaction replaces the account by a tombstone and announces the erasure; then the
//! remaining items are deleted, the tombstone last. A run may die after any of these
//! steps, and two may overlap: the tombstone stays in the index until everything else is
//! gone, and every step can be repeated.

use std::sync::Arc;

use contracts::{Envelope, events::UserErased};
use dynamo::StoreError;
use kernel::{Actor, Cause, Timestamp, UserId};
use runtime::{Function, Grant, Host, grant, schedule};
use serde::Serialize;

use crate::{app::App, domain::User, store::EraseUserError};

const NAME: &str = "erase-accounts";

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchWriteItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
    grant("dynamodb:Query", "UsersTable/index/by-erasure"),
    grant("dynamodb:UpdateItem", "UsersTable"),
];

/// Accounts in one run: at about 50 ms each this is well within the function's ten
/// seconds. The next run continues.
const ACCOUNTS_MAX: usize = 50;

pub fn function() -> Function {
    schedule::job(NAME, GRANTS, App::start, |app| async move {
        Ok(erase_accounts(app).await?)
    })
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Report {
    /// Accounts that were erased completely.
    erased: usize,
}

/// Erases every account that is due.
///
/// # Errors
/// The first failure, after all accounts were tried: one that cannot be erased does
/// not keep the others.
async fn erase_accounts(app: Arc<App>) -> Result<Report, StoreError> {
    let due = app
        .store
        .users_due_for_erasure(app.host.now(), ACCOUNTS_MAX)
        .await?;
    let mut report = Report::default();
    let mut failure = None;
    for id in due {
        match erase(&app, id).await {
            Ok(complete) => report.erased += usize::from(complete),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    failure.map_or(Ok(report), Err)
}

/// Erases one account; returns whether nothing of it is left.
async fn erase(app: &App, id: UserId) -> Result<bool, StoreError> {
    let now = app.host.now();
    let user = app.store.user_or_tombstone(id).await?;
    // The index is eventually consistent, so the item decides.
    let Some(user) = user.filter(|user| user.is_due_for_erasure(now)) else {
        return Ok(false);
    };
    if !user.erasing {
        let event = erased(&user, &app.host, now);
        match app
            .store
            .erase_user(&user, &user.tombstone(now), &event)
            .await
        {
            Ok(()) => {}
            Err(EraseUserError::Conflict) => return Ok(false),
            Err(EraseUserError::Store(error)) => return Err(error),
        }
    }
    app.store.erase_remaining_items(id).await
}

fn erased(user: &User, host: &Host, now: Timestamp) -> Envelope {
    let cause = Cause::new(
        format!("erase-{}", user.id),
        format!("erase-{}", user.id),
        Actor::Function(NAME),
    );
    Envelope::new(&UserErased { user_id: user.id }, host.stamp(now, &cause))
}
