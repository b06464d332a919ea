//! Listing and counting users.
//!
//! The index `by-email` has a partition for each status and role. A list of all users
//! reads a page of each of the twelve and merges them by address: that is the work of a
//! page, however many users there are.

use std::collections::BTreeMap;

use dynamo::{Expression, Key, Query, StoreError, Transaction};
use futures_util::future::try_join_all;
use kernel::{Limit, Role, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Store,
    rows::{USER, group},
};
use crate::domain::{Status, User};

pub(super) const BY_EMAIL: &str = "by-email";
/// Items that share the counts, so that registrations do not contend for one.
const COUNT_SHARDS: u8 = 16;
const ROLES: [Role; 3] = [Role::User, Role::Moderator, Role::Admin];

/// Which users to list; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    pub status: Option<Status>,
    pub role: Option<Role>,
    /// A prefix of the normalised address.
    pub email_prefix: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    pk: String,
    email: String,
}

impl UserFilter {
    /// The partitions of the index to read.
    fn groups(&self) -> Vec<String> {
        let statuses = Status::ALL.into_iter();
        let statuses = statuses.filter(|status| self.status.is_none_or(|wanted| wanted == *status));
        let groups = statuses.flat_map(|status| {
            let roles = ROLES.into_iter();
            let roles = roles.filter(|role| self.role.is_none_or(|wanted| wanted == *role));
            roles.map(move |role| group(status, role))
        });
        groups.collect()
    }
}

impl Store {
    /// A page of users by address, after the address `after`; and the last address
    /// on it, if there are more.
    pub async fn list_users(
        &self,
        filter: &UserFilter,
        limit: Limit,
        after: Option<String>,
    ) -> Result<(Vec<User>, Option<String>), StoreError> {
        let page_len = usize::try_from(limit.get()).unwrap_or(1);
        let groups = filter.groups();
        let pages = groups.iter().map(|group| {
            let query = emails_in(group, filter.email_prefix.as_deref(), after.as_deref());
            // One more than the page has shows whether there are more.
            self.table.query::<Listed>(query, page_len + 1)
        });
        let pages = try_join_all(pages).await?.into_iter();
        let mut listed: Vec<Listed> = pages.flat_map(|page| page.items).collect();
        listed.sort_by(|a, b| a.email.cmp(&b.email));
        let has_more = listed.len() > page_len;
        listed.truncate(page_len);
        let last = listed.last().map(|last| last.email.clone());
        let keys = listed.into_iter().map(|item| Key::new(item.pk, USER));
        let mut users: Vec<User> = self.table.get_many(keys.collect(), false).await?;
        users.sort_by(|a, b| a.email.as_str().cmp(b.email.as_str()));
        Ok((users, last.filter(|_| has_more)))
    }

    /// The number of users that match a filter; unknown for one by address.
    pub async fn count_users(&self, filter: &UserFilter) -> Result<Option<u64>, StoreError> {
        if filter.email_prefix.is_some() {
            return Ok(None);
        }
        let keys = (0..COUNT_SHARDS).map(|shard| Key::new(format!("COUNTS#{shard}"), "COUNTS"));
        let shards: Vec<BTreeMap<String, Value>> =
            self.table.get_many(keys.collect(), false).await?;
        let groups = filter.groups();
        let counts = shards.iter().flatten();
        let total: i64 = counts
            .filter(|(name, _)| groups.contains(name))
            .filter_map(|(_, count)| count.as_i64())
            .sum();
        Ok(Some(u64::try_from(total).unwrap_or(0)))
    }
}

fn emails_in(group: &str, prefix: Option<&str>, after: Option<&str>) -> Query {
    let query = |condition| Query::index(BY_EMAIL, condition).value(":group", group);
    match (prefix, after) {
        (None, None) => query("listed = :group"),
        (Some(prefix), None) => {
            query("listed = :group AND begins_with(email, :prefix)").value(":prefix", prefix)
        }
        (None, Some(after)) => query("listed = :group AND email > :after").value(":after", after),
        // Addresses are ASCII: the smallest one after `after` is `after` with the
        // lowest character appended, and all with the prefix sort before the prefix
        // with the highest one.
        (Some(prefix), Some(after)) => query("listed = :group AND email BETWEEN :after AND :end")
            .value(":after", format!("{after}\u{0}"))
            .value(":end", format!("{prefix}\u{7f}")),
    }
}

fn shard(id: UserId) -> Key {
    let shard = id.as_uuid().as_bytes()[15] % COUNT_SHARDS;
    Key::new(format!("COUNTS#{shard}"), "COUNTS")
}

pub(super) fn count_new_user(transaction: Transaction, user: &User) -> Transaction {
    let increment = Expression::update("ADD #to :one")
        .name("#to", &group(user.status, user.role))
        .value(":one", 1);
    transaction.update("count", shard(user.id), increment)
}

pub(super) fn count_erased_user(transaction: Transaction, user: &User) -> Transaction {
    let decrement = Expression::update("ADD #from :minus_one")
        .name("#from", &group(user.status, user.role))
        .value(":minus_one", -1);
    transaction.update("count", shard(user.id), decrement)
}

/// Counts a change of status or role, and updates the set of active admins. With
/// `keep_last_admin`, a condition fails for the last of them.
pub(super) fn count_change(
    mut transaction: Transaction,
    seen: &User,
    changed: &User,
    keep_last_admin: bool,
) -> Transaction {
    let (from, to) = (
        group(seen.status, seen.role),
        group(changed.status, changed.role),
    );
    if from != to {
        let moved = Expression::update("ADD #from :minus_one, #to :one")
            .name("#from", &from)
            .name("#to", &to)
            .value(":minus_one", -1)
            .value(":one", 1);
        transaction = transaction.update("count", shard(changed.id), moved);
    }
    let admins = || Key::new("ADMINS", "ADMINS");
    let id = vec![changed.id.to_string()];
    match (seen.is_active_admin(), changed.is_active_admin()) {
        (false, true) => {
            let added = Expression::update("ADD ids :id").string_set(":id", id);
            transaction.update("admins", admins(), added)
        }
        (true, false) => {
            let mut removed = Expression::update("DELETE ids :id").string_set(":id", id);
            if keep_last_admin {
                removed = removed.only_when("size(ids) > :one").value(":one", 1);
            }
            transaction.update("admins", admins(), removed)
        }
        _ => transaction,
    }
}
