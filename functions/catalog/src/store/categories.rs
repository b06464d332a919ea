//! Categories.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Key, ConditionFailed, StoreError};
use kernel::CategoryId;
use serde::{Deserialize, Serialize};

use super::{CatalogStore, announce};
use crate::domain::{CATEGORIES_MAX, Category, fold};

const PARTITION: &str = "CATEGORIES";
const PREFIX: &str = "CATEGORY#";

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

/// Why a category cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateCategoryRefusal {
    /// Its parent is not there any more.
    ParentMissing,
    /// There is one of that name in the same place.
    NameTaken,
    /// There are as many as there may be.
    Full,
    /// It is there already: an earlier write of ours whose answer was lost.
    Done,
}

impl CreateCategoryRefusal {
    /// What a refusal of [`CatalogStore::create_category`] means.
    ///
    /// # Errors
    /// When the item that stood in the way does not read.
    pub fn of(refused: &ConditionFailed, id: CategoryId) -> Result<Self, StoreError> {
        let named: Option<NameItem> = refused.item("name")?;
        Ok(match named {
            Some(named) if named.category_id == id => Self::Done,
            _ if refused.names("parent") => Self::ParentMissing,
            _ if refused.names("name") => Self::NameTaken,
            _ => Self::Full,
        })
    }
}

impl CatalogStore {
    /// A category.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn category(&self, id: CategoryId) -> Result<Option<Category>, StoreError> {
        self.table.get(category_key(id)).await
    }

    /// All categories, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn categories(&self) -> Result<Vec<Category>, StoreError> {
        let most = i32::try_from(CATEGORIES_MAX).unwrap_or(i32::MAX);
        self.table.list(PARTITION, PREFIX, most).await
    }

    /// Writes a new category, takes its name, counts it, and announces it.
    /// See [`CreateCategoryRefusal::of`] for what a refusal means.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn create_category(
        &self,
        category: &Category,
        event: &Envelope,
    ) -> Result<(), CommitError> {
        let key = category_key(category.id);
        let item = CategoryItem {
            pk: PARTITION,
            sk: key.sk.clone(),
            category,
        };
        let count = Expression::update("ADD categories :one")
            .only_when("attribute_not_exists(categories) OR categories < :most")
            .value(":one", 1)
            .value(":most", CATEGORIES_MAX);
        let mut transaction = self
            .table
            .transaction()
            .insert("category", &item)
            .insert("name", &NameItem::of(category))
            .update("count", Key::new("CATEGORIES_COUNT", "COUNT"), count);
        if let Some(parent_id) = category.parent_id {
            transaction = transaction.check("parent", category_key(parent_id), exists());
        }
        let partition = format!("CATEGORY#{}", category.id);
        announce(transaction, &partition, event).commit().await
    }
}

pub(super) fn category_key(id: CategoryId) -> Key {
    Key::new(PARTITION, format!("{PREFIX}{id}"))
}

pub(super) fn exists() -> Expression {
    Expression::when("attribute_exists(pk)")
}
