//! Categories and products as clients see them.

use jiff::Timestamp;
use kernel::{CategoryId, Currency, Decimal, ProductId};
use serde::Serialize;

use crate::domain::{Category, Product, Tag};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CategoryView {
    id: CategoryId,
    name: String,
    description: Option<String>,
    parent_id: Option<CategoryId>,
}

impl From<Category> for CategoryView {
    fn from(category: Category) -> Self {
        Self {
            id: category.id,
            name: category.name,
            description: category.description,
            parent_id: category.parent_id,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductView {
    id: ProductId,
    name: String,
    description: Option<String>,
    price: Decimal,
    currency: Currency,
    category_id: CategoryId,
    /// What can be ordered; the rest of what is on hand is held for orders.
    stock: u32,
    held: u32,
    on_hand: u32,
    tags: Vec<Tag>,
    active: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        // What lies in shards is known from the last count: nobody who only looks
        // reads them.
        let stock = product.stock.saturating_add(product.shard_stock);
        let held = product.held.saturating_add(product.shard_held);
        Self {
            id: product.id,
            name: product.name,
            description: product.description,
            price: product.price.amount(),
            currency: product.price.currency(),
            category_id: product.category_id,
            stock,
            held,
            on_hand: stock.saturating_add(held),
            tags: product.tags,
            active: product.active,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}
