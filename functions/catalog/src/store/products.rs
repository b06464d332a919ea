use contracts::Envelope;
use dynamo::{
    CommitError, StoreError,
    idempotency::{Claim, Effect},
};
use kernel::ProductId;
use serde::Serialize;

use super::{
    CatalogStore, announce, category_key, exists, list_entries::list_entries, product_key,
};
use crate::domain::Product;

#[derive(Serialize)]
struct ProductItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    product: &'a Product,
}

/// Why a product cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateProductError {
    #[error("the category does not exist")]
    CategoryMissing,
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CreateProductError {
    /// What the attempt may have done.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::CategoryMissing => Effect::None,
            Self::ClaimLost => Effect::ClaimLost,
            Self::Store(_) => Effect::Unknown,
        }
    }
}

impl CatalogStore {
    /// Reads a product, strongly consistent.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.get(product_key(id)).await
    }

    /// Reads a product for display: eventually consistent, at half the price.
    pub async fn peek_product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.peek(product_key(id)).await
    }

    /// Reads products, strongly consistent and in no particular order; missing
    /// ones are left out.
    pub async fn products(
        &self,
        ids: impl IntoIterator<Item = ProductId>,
    ) -> Result<Vec<Product>, StoreError> {
        let keys = ids.into_iter().map(product_key).collect();
        self.table.get_many(keys, true).await
    }

    /// Writes a new product and its list entries, announces it, and stores the reply
    /// under the idempotency key, if there is one.
    pub async fn create_product<R: Serialize>(
        &self,
        product: &Product,
        event: &Envelope,
        keyed: Option<(&Claim, &R)>,
    ) -> Result<(), CreateProductError> {
        let key = product_key(product.id);
        let item = ProductItem {
            pk: key.pk.clone(),
            sk: key.sk,
            product,
        };
        let category = category_key(product.category_id);
        let mut transaction =
            self.table
                .transaction()
                .insert("product", &item)
                .check("category", category, exists());
        for entry in list_entries(product) {
            transaction = transaction.insert("entry", &entry);
        }
        if let Some((claim, reply)) = keyed {
            transaction = transaction.complete(claim, reply);
        }
        match announce(transaction, &key.pk, event).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("claim") => {
                Err(CreateProductError::ClaimLost)
            }
            // The id is new, so the existing product is this one, written by an
            // earlier attempt whose reply was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("product") => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(CreateProductError::CategoryMissing),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}
