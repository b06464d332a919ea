//! `POST /api/categories`: adds a category to the tree.

use std::sync::Arc;

use contracts::{Envelope, events::CategoryCreated};
use dynamo::{CommitError, StoreError};
use kernel::{CategoryId, Clock};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::views::CategoryView;
use crate::{
    App,
    domain::{Category, CategoryTooDeep, NewCategory},
    store::CreateCategoryRefusal,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:ConditionCheckItem", "CatalogTable"),
];

/// The function `create-category`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    Endpoint::new("create-category", Access::AdminOrInternal, GRANTS)
        .post("/api/categories", create_category)
        .start(move |environment| App::shared(environment, clock.clone()))
}

/// Why a category is not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateCategoryError {
    /// The category it is to be in is not there.
    #[error("there is no such parent")]
    ParentMissing,
    /// It would be below the last level.
    #[error(transparent)]
    TooDeep(#[from] CategoryTooDeep),
    /// There is one of that name in the same place.
    #[error("there is a category of that name")]
    NameTaken,
    /// There are as many as there may be.
    #[error("there are too many categories")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a category and gives it with 201.
pub async fn create_category(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<NewCategory>,
) -> Result<Reply, ApiError> {
    let parent = parent_of(&app, input.parent_id).await?;
    let now = app.clock.now();
    let category = Category::create(testkit::new_id::<CategoryId>(), input, parent.as_ref(), now)
        .map_err(CreateCategoryError::from)?;
    let created = CategoryCreated {
        category_id: category.id,
        name: category.name.clone(),
        parent_id: category.parent_id,
    };
    store(&app, &category, &Envelope::new(&created, now, &cause)).await?;
    let location = format!("/api/categories/{}", category.id);
    Ok(Reply::created(
        "category created",
        &location,
        &CategoryView::from(category),
    ))
}

async fn parent_of(
    app: &App,
    id: Option<CategoryId>,
) -> Result<Option<Category>, CreateCategoryError> {
    let Some(id) = id else { return Ok(None) };
    let parent = app.store.category(id).await?;
    parent.map(Some).ok_or(CreateCategoryError::ParentMissing)
}

async fn store(
    app: &App,
    category: &Category,
    event: &Envelope,
) -> Result<(), CreateCategoryError> {
    match app.store.create_category(category, event).await {
        Ok(()) => Ok(()),
        Err(CommitError::Store(error)) => Err(error.into()),
        Err(CommitError::ConditionFailed(refused)) => {
            match CreateCategoryRefusal::of(&refused, category.id)? {
                CreateCategoryRefusal::Done => Ok(()),
                CreateCategoryRefusal::ParentMissing => Err(CreateCategoryError::ParentMissing),
                CreateCategoryRefusal::NameTaken => Err(CreateCategoryError::NameTaken),
                CreateCategoryRefusal::Full => Err(CreateCategoryError::Full),
            }
        }
    }
}
