//! Listing and counting users, for those who run the shop.
//!
//! The index `by-email` has a partition for each status and role. A list that
//! asks for neither reads a page of each of the twelve and merges them by
//! address: that is a page's work, however many users there are.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Expression, Key, StoreError, Transaction};
use futures_util::future::try_join_all;
use kernel::{Limit, UserId};
use kernel::Role;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Store,
    rows::{USER, group},
};
use crate::domain::{Status, User};

pub(super) const BY_EMAIL: &str = "by-email";
/// Items that the users are counted in, so that registrations do not wait for
/// each other.
const COUNT_SHARDS: u8 = 16;
const ROLES: [Role; 3] = [Role::User, Role::Moderator, Role::Admin];

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Those with a status.
    pub status: Option<Status>,
    /// Those with a role.
    pub role: Option<Role>,
    /// Those whose address begins so, normalised.
    pub email_prefix: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    pk: String,
    email: String,
}

impl UserFilter {
    /// The partitions of the index that have what is asked for.
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
    /// A page of users by address, that begins after one; and the last address
    /// on it, when there are more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_users(
        &self,
        filter: &UserFilter,
        limit: Limit,
        after: Option<String>,
    ) -> Result<(Vec<User>, Option<String>), StoreError> {
        let page_len = usize::try_from(limit.get()).unwrap_or(1);
        let groups = filter.groups();
        let pages = groups.iter().map(|group| {
            // One more than the page tells whether there is a next one.
            let most = i32::try_from(page_len + 1).unwrap_or(i32::MAX);
            self.addresses_of(
                group,
                filter.email_prefix.as_deref(),
                after.as_deref(),
                most,
            )
        });
        let mut listed: Vec<Listed> = try_join_all(pages).await?.into_iter().flatten().collect();
        listed.sort_by(|a, b| a.email.cmp(&b.email));
        let more = listed.len() > page_len;
        listed.truncate(page_len);
        let last = listed.last().map(|last| last.email.clone());
        let keys = listed.into_iter().map(|one| Key::new(one.pk, USER));
        let mut users: Vec<User> = self.table.get_many(keys.collect(), false).await?;
        users.sort_by(|a, b| a.email.as_str().cmp(b.email.as_str()));
        Ok((users, last.filter(|_| more)))
    }

    async fn addresses_of(
        &self,
        group: &str,
        prefix: Option<&str>,
        after: Option<&str>,
        most: i32,
    ) -> Result<Vec<Listed>, StoreError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let condition = match (prefix, after) {
            (None, None) => "listed = :group",
            (Some(_), None) => "listed = :group AND begins_with(email, :prefix)",
            (None, Some(_)) => "listed = :group AND email > :after",
            // What begins so ends before the prefix with the highest character.
            (Some(_), Some(_)) => "listed = :group AND email BETWEEN :after AND :end",
        };
        let mut query = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .index_name(BY_EMAIL)
            .key_condition_expression(condition)
            .expression_attribute_values(":group", text(group))
            .limit(most);
        match (prefix, after) {
            (Some(prefix), Some(after)) => {
                // Addresses are ASCII: the next after one is it with the lowest
                // character behind it.
                query = query
                    .expression_attribute_values(":after", text(&format!("{after}\u{0}")))
                    .expression_attribute_values(":end", text(&format!("{prefix}\u{7f}")));
            }
            (Some(prefix), None) => {
                query = query.expression_attribute_values(":prefix", text(prefix));
            }
            (None, Some(after)) => {
                query = query.expression_attribute_values(":after", text(after));
            }
            (None, None) => {}
        }
        let page = query.send().await.map_err(|error| StoreError::Call {
            operation: "Query",
            source: error.into(),
        })?;
        Ok(serde_dynamo::from_items(page.items.unwrap_or_default())?)
    }

    /// How many users a filter lists; not known when it is by address.
    ///
    /// # Errors
    /// When the store fails.
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

fn shard(id: UserId) -> Key {
    let shard = id.as_uuid().as_bytes()[15] % COUNT_SHARDS;
    Key::new(format!("COUNTS#{shard}"), "COUNTS")
}

/// Counts a new user.
pub(super) fn counting_in(transaction: Transaction, user: &User) -> Transaction {
    let one_more = Expression::update("ADD #to :one")
        .name("#to", &group(user.status, user.role))
        .value(":one", 1);
    transaction.update("count", shard(user.id), one_more)
}

/// Counts a user out, who is none any more.
pub(super) fn counting_out(transaction: Transaction, user: &User) -> Transaction {
    let one_less = Expression::update("ADD #from :less")
        .name("#from", &group(user.status, user.role))
        .value(":less", -1);
    transaction.update("count", shard(user.id), one_less)
}

/// Counts a user whose status or role changes, and keeps the list of active
/// admins. With `keep_one`, the last of them stays.
pub(super) fn counting_over(
    mut transaction: Transaction,
    seen: &User,
    changed: &User,
    keep_one: bool,
) -> Transaction {
    let (from, to) = (
        group(seen.status, seen.role),
        group(changed.status, changed.role),
    );
    if from != to {
        let over = Expression::update("ADD #from :less, #to :one")
            .name("#from", &from)
            .name("#to", &to)
            .value(":less", -1)
            .value(":one", 1);
        transaction = transaction.update("count", shard(changed.id), over);
    }
    let admins = || Key::new("ADMINS", "ADMINS");
    let id = vec![changed.id.to_string()];
    match (seen.is_active_admin(), changed.is_active_admin()) {
        (false, true) => {
            let one_more = Expression::update("ADD ids :id").string_set(":id", id);
            transaction.update("admins", admins(), one_more)
        }
        (true, false) => {
            let mut one_less = Expression::update("DELETE ids :id").string_set(":id", id);
            if keep_one {
                one_less = one_less.only_when("size(ids) > :one").value(":one", 1);
            }
            transaction.update("admins", admins(), one_less)
        }
        _ => transaction,
    }
}
