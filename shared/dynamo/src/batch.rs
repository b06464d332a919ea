//! Reading and deleting many items.

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, WriteRequest};
use serde::de::DeserializeOwned;

use crate::{Item, Key, StoreError, Table};

/// Items in one BatchWriteItem (a limit of DynamoDB).
const BATCH_WRITES_MAX: usize = 25;
/// Attempts for the items that a BatchWriteItem left unprocessed.
const WRITE_ATTEMPTS_MAX: u32 = 8;
/// Attempts for the keys that a BatchGetItem left unprocessed.
const READ_ATTEMPTS_MAX: u32 = 5;
/// Keys in one BatchGetItem (a limit of DynamoDB).
const BATCH_KEYS_MAX: usize = 100;

impl Table {
    /// Items by their keys, in no order; keys without an item are left out.
    ///
    /// # Errors
    /// When the store fails, keeps leaving keys unprocessed, or an item cannot be read.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: Vec<Key>,
        consistent: bool,
    ) -> Result<Vec<T>, StoreError> {
        let found = self.get_items(keys, consistent).await?;
        Ok(serde_dynamo::from_items(found)?)
    }

    /// The same without reading the items, for whom one that does not read must
    /// not stand in the way of the others.
    pub(crate) async fn get_items(
        &self,
        keys: Vec<Key>,
        consistent: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        let keys: Vec<Item> = keys.into_iter().map(Key::into_attributes).collect();
        for chunk in keys.chunks(BATCH_KEYS_MAX) {
            self.get_chunk(chunk.to_vec(), consistent, &mut found)
                .await?;
        }
        Ok(found)
    }

    async fn get_chunk(
        &self,
        mut keys: Vec<Item>,
        consistent: bool,
        found: &mut Vec<Item>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "BatchGetItem";
        for attempt in 1..=READ_ATTEMPTS_MAX {
            if attempt > 1 {
                self.back_off(attempt - 1).await;
            }
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build()
                .map_err(|error| StoreError::call(OPERATION, error))?;
            let output = self
                .client()
                .batch_get_item()
                .request_items(self.name(), wanted)
                .send()
                .await
                .map_err(|error| StoreError::call(OPERATION, error))?;
            found.extend(
                output
                    .responses
                    .into_iter()
                    .flatten()
                    .flat_map(|(_, items)| items),
            );
            keys = output
                .unprocessed_keys
                .into_iter()
                .flatten()
                .flat_map(|(_, rest)| rest.keys)
                .collect();
            if keys.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Contended {
            operation: OPERATION,
            attempts: READ_ATTEMPTS_MAX,
        })
    }

    /// Deletes items, whatever they hold and whether or not they exist. When it
    /// fails, some may be gone: call it again.
    ///
    /// # Errors
    /// When the store fails, or keeps leaving items unprocessed.
    pub async fn delete_many(&self, keys: Vec<Key>) -> Result<(), StoreError> {
        const OPERATION: &str = "BatchWriteItem";
        let deletes = keys.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key.into_attributes()));
            let delete = delete.build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        });
        let deletes: Vec<WriteRequest> = deletes
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::call(OPERATION, error))?;
        for chunk in deletes.chunks(BATCH_WRITES_MAX) {
            let mut left = chunk.to_vec();
            let mut attempt = 1;
            while !left.is_empty() {
                let output = self
                    .client()
                    .batch_write_item()
                    .request_items(self.name(), left)
                    .send()
                    .await
                    .map_err(|error| StoreError::call(OPERATION, error))?;
                let mut unprocessed = output.unprocessed_items.unwrap_or_default();
                left = unprocessed.remove(self.name()).unwrap_or_default();
                if !left.is_empty() {
                    if attempt == WRITE_ATTEMPTS_MAX {
                        return Err(StoreError::Contended {
                            operation: OPERATION,
                            attempts: WRITE_ATTEMPTS_MAX,
                        });
                    }
                    self.back_off(attempt).await;
                    attempt += 1;
                }
            }
        }
        Ok(())
    }
}
