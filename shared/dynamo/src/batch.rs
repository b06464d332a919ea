//! Deleting many items.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};

use crate::{Key, StoreError, Table};

/// Items in one BatchWriteItem (a limit of DynamoDB).
const BATCH_WRITES_MAX: usize = 25;
/// Attempts for the items that a BatchWriteItem left unprocessed.
const BATCH_ATTEMPTS_MAX: u32 = 8;

impl Table {
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
                    if attempt == BATCH_ATTEMPTS_MAX {
                        return Err(StoreError::Contended {
                            operation: OPERATION,
                            attempts: BATCH_ATTEMPTS_MAX,
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
