//! `GET /api/products/{id}`: shows a product.

use std::sync::Arc;

use kernel::ProductId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, State},
};

use super::views::ProductView;
use crate::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "CatalogTable")];

pub fn function() -> Function {
    Endpoint::new("get-product", Access::Public, GRANTS)
        .get("/api/products/{id}", get_product)
        .start(App::start)
}

async fn get_product(
    State(app): State<Arc<App>>,
    Id(id): Id<ProductId>,
) -> Result<Reply, ApiError> {
    let product = app.catalog.peek_product(id).await?;
    let product = product.ok_or_else(|| ApiError::not_found("product"))?;
    Ok(Reply::ok("product", &ProductView::from(product)).cacheable())
}
