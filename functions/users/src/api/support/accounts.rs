//! Finding accounts, and who may change them.

use kernel::UserId;
use runtime::http::{ApiError, Caller};

use crate::{domain::User, store::Store};

/// The network of a request whose address is not known.
pub(in crate::api) const NO_NETWORK: &str = "unknown";

/// A user.
///
/// # Errors
/// 404 when there is none, or the account is being erased.
pub(in crate::api) async fn find_user(store: &Store, id: UserId) -> Result<User, ApiError> {
    let user = store.user(id).await?;
    user.ok_or_else(|| ApiError::not_found("user"))
}

/// Whether the caller must leave one active admin. People must, so that they cannot
/// lock themselves out; a client with the internal key can always appoint another.
pub(in crate::api) fn keeps_last_admin(caller: &Caller) -> bool {
    !matches!(caller, Caller::Internal)
}
