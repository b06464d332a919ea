//! `erase-accounts`: erases those who closed their accounts thirty days ago.
//!
//! First one transaction takes the person out of the account and announces it;
//! then the rest goes, and last the account. It may die after any of these, or
//! run twice at once: the account stays in the index until nothing is left, and
//! each of its steps is safe to make again.

use std::sync::Arc;

use contracts::{Envelope, events::UserErased};
use dynamo::StoreError;
use kernel::{Actor, Cause, Clock, UserId};
use runtime::{Environment, Error, Function, Grant, grant, schedule};
use serde::Serialize;

use crate::{app::App, domain::User, store::ForgetUserError};

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

/// Accounts that one round erases: at some 50 ms each this is well within the
/// function's ten seconds. The next round goes on.
const ACCOUNTS_MAX: i32 = 50;

/// The function `erase-accounts`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    schedule::job(
        NAME,
        GRANTS,
        move |environment| start(environment, clock.clone()),
        |app| async move { Ok(erase_accounts(app).await?) },
    )
}

async fn start(environment: Environment, clock: Clock) -> Result<App, Error> {
    Ok(App::new(dynamo::Table::open(&environment).await?, clock))
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Accounts of which nothing is left.
    pub erased: usize,
}

/// Erases every account whose time is over.
///
/// # Errors
/// The first failure, after everything else was tried: one account that cannot
/// go does not keep the others.
pub async fn erase_accounts(app: Arc<App>) -> Result<Round, StoreError> {
    let due = app
        .store
        .to_be_erased(app.clock.now(), ACCOUNTS_MAX)
        .await?;
    let mut round = Round::default();
    let mut failure = None;
    for id in due {
        match erase(&app, id).await {
            Ok(erased) => round.erased += usize::from(erased),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    failure.map_or(Ok(round), Err)
}

/// Erases one account; tells whether nothing of it is left.
async fn erase(app: &App, id: UserId) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let user = app.store.user_or_rest(id).await?;
    // The index may be behind: what counts is the account.
    let Some(user) = user.filter(|user| user.is_to_be_erased(now)) else {
        return Ok(false);
    };
    if !user.erasing {
        match app
            .store
            .forget(&user, &user.erased(now), &erased(&user, now))
            .await
        {
            Ok(()) => {}
            Err(ForgetUserError::Conflict) => return Ok(false),
            Err(ForgetUserError::Store(error)) => return Err(error),
        }
    }
    app.store.erase_what_is_left(id).await
}

fn erased(user: &User, now: kernel::Timestamp) -> Envelope {
    let cause = Cause {
        correlation_id: format!("erase-{}", user.id),
        causation_id: format!("erase-{}", user.id),
        actor: Actor::Function(NAME),
    };
    Envelope::new(&UserErased { user_id: user.id }, now, &cause)
}
