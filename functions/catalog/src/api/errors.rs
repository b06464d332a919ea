//! Where the service's errors become replies.

use kernel::input::{FieldError, FieldErrors};
use runtime::http::ApiError;

use super::adjust_stock::AdjustStockError;
use crate::{
    domain::{AdjustmentError, CategoryTooDeep},
    store::{CreateCategoryError, CreateProductError},
};

impl From<CategoryTooDeep> for ApiError {
    fn from(error: CategoryTooDeep) -> Self {
        Self::validation(FieldErrors::at(
            "/parentId",
            format!("is too deep: {error}"),
        ))
    }
}

impl From<CreateCategoryError> for ApiError {
    fn from(error: CreateCategoryError) -> Self {
        match error {
            CreateCategoryError::ParentMissing => {
                Self::validation(FieldErrors::at("/parentId", "is not an existing category"))
            }
            CreateCategoryError::NameTaken => Self::conflict(
                "category_exists",
                "the parent already has a category with this name",
            ),
            CreateCategoryError::TooMany => Self::conflict(
                "too_many_categories",
                "the shop already has the maximum number of categories",
            ),
            CreateCategoryError::ClaimLost => Self::idempotency_in_progress(),
            CreateCategoryError::Store(error) => error.into(),
        }
    }
}

impl From<CreateProductError> for ApiError {
    fn from(error: CreateProductError) -> Self {
        match error {
            CreateProductError::CategoryMissing => Self::validation(FieldErrors::at(
                "/categoryId",
                "is not an existing category",
            )),
            CreateProductError::ClaimLost => Self::idempotency_in_progress(),
            CreateProductError::Store(error) => error.into(),
        }
    }
}

impl From<AdjustStockError> for ApiError {
    fn from(error: AdjustStockError) -> Self {
        match error {
            AdjustStockError::NotFound => Self::not_found("product"),
            AdjustStockError::Invalid(AdjustmentError::Insufficient { available }) => {
                let error = FieldError {
                    field: "/quantity".into(),
                    message: format!("must not exceed the available stock of {available}"),
                };
                Self::conflict(
                    "insufficient_stock",
                    "the quantity exceeds the available stock",
                )
                .with_errors(vec![error])
            }
            AdjustStockError::Invalid(AdjustmentError::Held { held }) => {
                let error = FieldError {
                    field: "/quantity".into(),
                    message: format!(
                        "must not be less than the {held} units held for orders that are not \
                         paid yet"
                    ),
                };
                Self::conflict(
                    "stock_held",
                    "the stock on hand cannot be less than what is held for orders",
                )
                .with_errors(vec![error])
            }
            AdjustStockError::ClaimLost => Self::idempotency_in_progress(),
            AdjustStockError::Reply(error) => error,
            AdjustStockError::Invalid(error @ AdjustmentError::TooHigh) => Self::validation(
                FieldErrors::at("/quantity", format!("is too high: {error}")),
            ),
            AdjustStockError::Store(error) => error.into(),
        }
    }
}
