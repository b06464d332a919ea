//! Reading, refreshing and ending sessions. A session that was ended is gone.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, UserId};
use serde::de::IgnoredAny;

use super::{
    Store,
    rows::{Found, Row, SESSIONS, USER, session_key, user_key, user_partition},
};
use crate::domain::{SecondFactor, Session, User};

/// Why a session could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshSessionError {
    /// The token was used before, or the session ended.
    #[error("the refresh token is not the one that is good now")]
    Superseded,
    /// The store failed.
    #[error("refresh session")]
    Store(#[from] StoreError),
}

impl Store {
    /// A session.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(
        &self,
        user_id: UserId,
        id: SessionId,
    ) -> Result<Option<Session>, StoreError> {
        self.table.get(session_key(user_id, id)).await
    }

    /// A session and a user, as they are now, in one call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_and_user(
        &self,
        session_id: SessionId,
        user_id: UserId,
    ) -> Result<(Option<Session>, Option<User>), StoreError> {
        let keys = vec![session_key(user_id, session_id), user_key(user_id)];
        let (mut session, mut user) = (None, None);
        for found in self.table.get_many(keys, true).await? {
            match found {
                Found::Session(found) => session = Some(found),
                Found::User(found) => user = Some(*found),
                Found::Email(_) | Found::Attempts(_) | Found::Factor(_) => {}
            }
        }
        Ok((session, user))
    }

    /// A user with all of their sessions, those that are over included, as
    /// they are now, in one query.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account(
        &self,
        user_id: UserId,
    ) -> Result<(Option<User>, Vec<Session>), StoreError> {
        let (user, sessions, _) = self.account_with_factor(user_id).await?;
        Ok((user, sessions))
    }

    /// The same with the second factor, which stands between them.
    pub(super) async fn account_with_factor(
        &self,
        user_id: UserId,
    ) -> Result<(Option<User>, Vec<Session>, Option<SecondFactor>), StoreError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let (mut user, mut factor) = (None, None);
        let (mut sessions, mut start) = (Vec::new(), None);
        loop {
            let page = self
                .table
                .client()
                .query()
                .table_name(self.table.name())
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", text(&user_partition(user_id)))
                .expression_attribute_values(":first", text(SESSIONS))
                .expression_attribute_values(":last", text(USER))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| StoreError::Call {
                    operation: "Query",
                    source: error.into(),
                })?;
            for found in serde_dynamo::from_items(page.items.unwrap_or_default())? {
                match found {
                    Found::Session(found) => sessions.push(found),
                    Found::User(found) => user = Some(*found),
                    Found::Factor(found) => factor = Some(found),
                    Found::Email(_) | Found::Attempts(_) => {}
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok((user, sessions, factor));
            }
        }
    }

    /// Gives a session its next refresh token, if `seen` is as it still is. Of
    /// two at the same time, one wins.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub async fn refresh_session(
        &self,
        seen: &Session,
        next: &Session,
    ) -> Result<(), RefreshSessionError> {
        let expression = Expression::update(
            "SET refresh_hash = :next, refreshed_at = :now, expires_at = :expires",
        )
        .only_when("refresh_hash = :seen")
        .value(":seen", &seen.refresh_hash)
        .value(":next", &next.refresh_hash)
        .value(":now", next.refreshed_at)
        .value(":expires", next.ends_at().as_second());
        match self
            .table
            .update::<IgnoredAny>(session_key(seen.user_id, seen.id), expression)
            .await
        {
            Ok(_) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(refused)) => match refused.item::<Session>("item")? {
                // The reply to this very update was lost, and the SDK repeated it.
                Some(found) if found.refresh_hash == next.refresh_hash => Ok(()),
                _ => Err(RefreshSessionError::Superseded),
            },
        }
    }

    /// Ends a session, whatever it is like. That it is over already is as good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_session(&self, user_id: UserId, id: SessionId) -> Result<(), StoreError> {
        self.end_session_when(user_id, id, Expression::default())
            .await
    }

    /// Ends the session whose current refresh token has this hash.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_session_of_token(
        &self,
        user_id: UserId,
        id: SessionId,
        refresh_hash: &str,
    ) -> Result<(), StoreError> {
        let same = Expression::when("refresh_hash = :hash").value(":hash", refresh_hash);
        self.end_session_when(user_id, id, same).await
    }

    async fn end_session_when(
        &self,
        user_id: UserId,
        id: SessionId,
        condition: Expression,
    ) -> Result<(), StoreError> {
        match self.table.delete(session_key(user_id, id), condition).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    pub(super) fn session_row(session: &Session) -> Row<'_, Session> {
        Row::expiring(
            session_key(session.user_id, session.id),
            session,
            session.ends_at(),
        )
    }
}
