//! `POST /api/categories`: creates a category.

use std::sync::Arc;

use contracts::{Envelope, events::CategoryCreated};
use kernel::CategoryId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::views::CategoryView;
use crate::{
    App,
    domain::{Category, NewCategory},
    store::CreateCategoryError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:ConditionCheckItem", "CatalogTable"),
];

pub fn function() -> Function {
    Endpoint::new("create-category", Access::AdminOrInternal, GRANTS)
        .post("/api/categories", create_category)
        .start(App::start)
}

async fn create_category(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<NewCategory>,
) -> Result<Reply, ApiError> {
    let parent = match input.parent_id {
        None => None,
        Some(id) => Some(find_parent(&app, id).await?),
    };
    let now = app.host.now();
    let category = Category::create(app.host.new_id(), input, parent.as_ref(), now)?;
    let created = CategoryCreated {
        category_id: category.id,
        name: category.name.clone(),
        parent_id: category.parent_id,
    };
    let event = Envelope::new(&created, app.host.stamp(now, &cause));
    app.catalog.create_category(&category, &event).await?;
    let location = format!("/api/categories/{}", category.id);
    let view = CategoryView::from(category);
    Ok(Reply::created("category created", &location, &view))
}

async fn find_parent(app: &App, id: CategoryId) -> Result<Category, CreateCategoryError> {
    let parent = app.catalog.category(id).await?;
    parent.ok_or(CreateCategoryError::ParentMissing)
}
