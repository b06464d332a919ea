//! `GET /api/categories`: all categories, oldest first.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, State},
};

use super::views::CategoryView;
use crate::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
];

pub fn function() -> Function {
    Endpoint::new("list-categories", Access::Public, GRANTS)
        .get("/api/categories", list_categories)
        .start(App::start)
}

/// Not paginated: their number is limited to what fits into one reply.
async fn list_categories(State(app): State<Arc<App>>) -> Result<Reply, ApiError> {
    let categories = app.catalog.categories().await?;
    let views: Vec<CategoryView> = categories.into_iter().map(CategoryView::from).collect();
    Ok(Reply::ok("categories", &views).cacheable())
}
