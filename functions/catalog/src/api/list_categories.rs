//! `GET /api/categories`: the tree of categories, all of it.

use std::sync::Arc;

use kernel::Clock;
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

/// The function `list-categories`.
pub fn function() -> Function {
    Endpoint::new("list-categories", Access::Public, GRANTS)
        .get("/api/categories", list_categories)
        .start(|environment| App::shared(environment, Clock::System))
}

/// Gives every category, oldest first. Pages would save nothing: there are at
/// most as many as one reply can have.
pub async fn list_categories(State(app): State<Arc<App>>) -> Result<Reply, ApiError> {
    let categories = app.store.categories().await?;
    let views: Vec<CategoryView> = categories.into_iter().map(CategoryView::from).collect();
    Ok(Reply::ok("categories", &views).cacheable())
}
