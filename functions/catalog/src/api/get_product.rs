//! `GET /api/products/{id}`: shows a product.

use std::sync::Arc;

use kernel::{Clock, ProductId};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, State},
};

use super::views::ProductView;
use crate::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "CatalogTable")];

/// The function `get-product`.
pub fn function() -> Function {
    Endpoint::new("get-product", Access::Public, GRANTS)
        .get("/api/products/{id}", get_product)
        .start(|environment| App::shared(environment, Clock::System))
}

/// Gives a product, with a tag that moves with everything of it, also its
/// stock. Half a read unit; what it shows may be a moment old, and nothing is
/// decided by it.
pub async fn get_product(
    State(app): State<Arc<App>>,
    Id(id): Id<ProductId>,
) -> Result<Reply, ApiError> {
    let product = app.store.peek_product(id).await?;
    let product = product.ok_or_else(|| ApiError::not_found("product"))?;
    Ok(Reply::ok("product", &ProductView::from(product)).cacheable())
}
