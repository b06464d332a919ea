//! `POST /api/categories`: creates a category, once under an idempotency key.

use std::sync::Arc;

use contracts::{Envelope, events::CategoryCreated};
use dynamo::idempotency::Claim;
use kernel::{CategoryId, Cause};
use runtime::{
    Function, Grant, grant,
    http::{
        Access, ApiError, Endpoint, MaybeIdempotent, Reply, RequestCause, RequestInfo, State,
        StoredReply,
    },
};

use super::{
    keyed::{Failed, Keyed},
    views::CategoryView,
};
use crate::{
    App,
    domain::{Category, NewCategory},
    store::CreateCategoryError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:DeleteItem", "CatalogTable"),
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
    info: RequestInfo,
    request: MaybeIdempotent<NewCategory>,
) -> Result<StoredReply, ApiError> {
    let keyed = Keyed::new(&app, &cause, "POST /api/categories", &request);
    let claim = match keyed.begin().await? {
        Ok(claim) => claim,
        Err(reply) => return Ok(reply),
    };
    match create(&app, &request.input, claim.as_ref(), &info, &cause).await {
        Ok(reply) => Ok(reply),
        Err(failed) => keyed.fail(claim, failed).await,
    }
}

async fn create(
    app: &App,
    input: &NewCategory,
    claim: Option<&Claim>,
    info: &RequestInfo,
    cause: &Cause,
) -> Result<StoredReply, Failed> {
    let parent = match input.parent_id {
        None => None,
        Some(id) => Some(find_parent(app, id).await?),
    };
    let now = app.host.now();
    // Whoever takes the claim over creates the same category.
    let id = claim.map_or_else(|| app.host.new_id(), |claim| claim.subject.into());
    let category = Category::create(id, input.clone(), parent.as_ref(), now);
    let category = category.map_err(ApiError::from)?;
    let created = CategoryCreated {
        category_id: category.id,
        name: category.name.clone(),
        parent_id: category.parent_id,
    };
    let event = Envelope::new(&created, app.host.stamp(now, cause));
    let location = format!("/api/categories/{id}");
    let view = CategoryView::from(category.clone());
    let reply = Reply::created("category created", &location, &view).into_stored(info)?;
    let keyed = claim.map(|claim| (claim, &reply));
    app.catalog
        .create_category(&category, &event, keyed)
        .await?;
    Ok(reply)
}

async fn find_parent(app: &App, id: CategoryId) -> Result<Category, CreateCategoryError> {
    let parent = app.catalog.category(id).await?;
    parent.ok_or(CreateCategoryError::ParentMissing)
}
