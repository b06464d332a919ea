//! The emails that count towards a limit.

use dynamo::{Attempts, CommitError, Expression, Key, StoreError, hash_key};
use jiff::fmt::serde::timestamp::millisecond::required as millisecond;
use kernel::{NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::domain::MailLimit;

#[derive(Serialize, Deserialize)]
struct CountItem {
    pk: String,
    sk: String,
    /// Those of the window, at most as many as the limit allows.
    mails: Vec<CountedMail>,
    /// Increases with each write.
    revision: u32,
    /// When none of them counts any more, in seconds since the Unix epoch.
    expires_at: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct CountedMail {
    id: NotificationId,
    #[serde(with = "millisecond")]
    at: Timestamp,
}

impl Store {
    /// Counts an email, and returns whether it is within the limit. One that is
    /// refused does not count. One that was counted before, for an event that is
    /// delivered again, is within the limit and does not count twice.
    ///
    /// # Errors
    /// When the store fails, or others keep counting at the same time.
    pub async fn count_mail(
        &self,
        limit: &MailLimit,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = count_key(limit);
        let mut known: Option<CountItem> = self.table.get(key.clone()).await?;
        let mut attempts = Attempts::new(self.table.random());
        while attempts.next().await {
            let (mut mails, unchanged, revision) = match known {
                None => (Vec::new(), Expression::when("attribute_not_exists(pk)"), 0),
                Some(item) => (
                    item.mails,
                    Expression::when("revision = :revision").value(":revision", item.revision),
                    item.revision,
                ),
            };
            if mails.iter().any(|mail| mail.id == id) {
                return Ok(true);
            }
            mails.retain(|mail| now.duration_since(mail.at) < limit.window);
            if mails.len() >= limit.mails {
                return Ok(false);
            }
            mails.push(CountedMail { id, at: now });
            let item = CountItem {
                pk: key.pk.clone(),
                sk: key.sk.clone(),
                mails,
                revision: revision.wrapping_add(1),
                expires_at: now.as_second() + limit.window.as_secs() + 1,
            };
            match self.table.put(&item, unchanged).await {
                Ok(()) => return Ok(true),
                Err(CommitError::ConditionFailed(failed)) => known = failed.item("item")?,
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended {
            operation: "count an email",
            attempts: Attempts::MAX,
        })
    }
}

/// Hashed, so that no addresses are kept here.
fn count_key(limit: &MailLimit) -> Key {
    let hash = hash_key(&limit.key);
    Key::new(format!("LIMIT#{}#{hash}", limit.name), "LIMIT")
}
