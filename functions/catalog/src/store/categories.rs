use contracts::Envelope;
use dynamo::{
    CommitError, Expression, Key, Query, StoreError,
    idempotency::{Claim, Effect},
};
use kernel::CategoryId;
use serde::{Deserialize, Serialize};

use super::{CATEGORIES, CATEGORY_PREFIX, CatalogStore, announce, category_key, exists};
use crate::domain::{CATEGORIES_MAX, Category, fold};

#[derive(Serialize)]
struct CategoryItem<'a> {
    pk: &'static str,
    sk: String,
    #[serde(flatten)]
    category: &'a Category,
}

#[derive(Serialize, Deserialize)]
struct NameItem {
    pk: String,
    sk: String,
    category_id: CategoryId,
}

impl NameItem {
    fn of(category: &Category) -> Self {
        let parent = category.parent_id.map(|id| id.to_string());
        Self {
            pk: format!("CATEGORY_NAMES#{}", parent.as_deref().unwrap_or("ROOT")),
            sk: fold(&category.name),
            category_id: category.id,
        }
    }
}

/// Why a category cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateCategoryError {
    #[error("the parent category does not exist")]
    ParentMissing,
    #[error("the parent already has a category with this name")]
    NameTaken,
    #[error("there are {CATEGORIES_MAX} categories already")]
    TooMany,
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CreateCategoryError {
    /// What the attempt may have done.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::ParentMissing | Self::NameTaken | Self::TooMany => Effect::None,
            Self::ClaimLost => Effect::ClaimLost,
            Self::Store(_) => Effect::Unknown,
        }
    }
}

impl CatalogStore {
    /// Reads a category, strongly consistent.
    pub async fn category(&self, id: CategoryId) -> Result<Option<Category>, StoreError> {
        self.table.get(category_key(id)).await
    }

    /// Reads all categories for display, oldest first: eventually consistent, at
    /// half the price.
    pub async fn categories(&self) -> Result<Vec<Category>, StoreError> {
        let limit = usize::try_from(CATEGORIES_MAX).unwrap_or(usize::MAX);
        let query = Query::partition(CATEGORIES, CATEGORY_PREFIX);
        self.table.read_all(query, limit).await
    }

    /// Writes a new category, claims its name, counts it, announces it, and stores the
    /// reply under the idempotency key, if there is one.
    pub async fn create_category<R: Serialize>(
        &self,
        category: &Category,
        event: &Envelope,
        keyed: Option<(&Claim, &R)>,
    ) -> Result<(), CreateCategoryError> {
        let item = CategoryItem {
            pk: CATEGORIES,
            sk: category_key(category.id).sk,
            category,
        };
        let count = Expression::update("ADD categories :one")
            .only_when("attribute_not_exists(categories) OR categories < :max")
            .value(":one", 1)
            .value(":max", CATEGORIES_MAX);
        let mut transaction = self
            .table
            .transaction()
            .insert("category", &item)
            .insert("name", &NameItem::of(category))
            .update("count", Key::new("CATEGORIES_COUNT", "COUNT"), count);
        if let Some(parent_id) = category.parent_id {
            transaction = transaction.check("parent", category_key(parent_id), exists());
        }
        if let Some((claim, reply)) = keyed {
            transaction = transaction.complete(claim, reply);
        }
        let partition = format!("{CATEGORY_PREFIX}{}", category.id);
        match announce(transaction, &partition, event).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("claim") => {
                Err(CreateCategoryError::ClaimLost)
            }
            Err(CommitError::ConditionFailed(failed)) => match failed.item::<NameItem>("name")? {
                // An earlier attempt wrote this category, and its reply was lost.
                Some(name) if name.category_id == category.id => Ok(()),
                _ if failed.includes("parent") => Err(CreateCategoryError::ParentMissing),
                _ if failed.includes("name") => Err(CreateCategoryError::NameTaken),
                _ => Err(CreateCategoryError::TooMany),
            },
        }
    }
}
