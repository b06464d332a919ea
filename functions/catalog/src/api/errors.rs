//! Where the service's errors become replies.

use kernel::input::{FieldError, FieldErrors};
use runtime::http::ApiError;

use super::{
    adjust_stock::AdjustStockError, create_category::CreateCategoryError,
    create_product::CreateProductError,
};
use crate::domain::AdjustStockRefusal;

impl From<CreateCategoryError> for ApiError {
    fn from(error: CreateCategoryError) -> Self {
        let at_parent = |message: String| Self::validation(FieldErrors::at("/parentId", message));
        match error {
            CreateCategoryError::ParentMissing => at_parent("is not a category".into()),
            CreateCategoryError::TooDeep(error) => at_parent(format!("is too deep: {error}")),
            CreateCategoryError::NameTaken => Self::conflict(
                "category_exists",
                "there is a category of that name in the same place",
            ),
            CreateCategoryError::Full => Self::conflict(
                "too_many_categories",
                "the shop has as many categories as it may have",
            ),
            CreateCategoryError::Store(error) => error.into(),
        }
    }
}

impl From<CreateProductError> for ApiError {
    fn from(error: CreateProductError) -> Self {
        match error {
            CreateProductError::CategoryMissing => {
                Self::validation(FieldErrors::at("/categoryId", "is not a category"))
            }
            CreateProductError::Price(refusals) => Self::validation(refusals),
            CreateProductError::Store(error) => error.into(),
        }
    }
}

impl From<AdjustStockError> for ApiError {
    fn from(error: AdjustStockError) -> Self {
        match error {
            AdjustStockError::Missing => Self::not_found("product"),
            AdjustStockError::Refused(AdjustStockRefusal::Short { available }) => {
                let short = FieldError {
                    field: "/quantity".into(),
                    message: format!("must be at most {available}, which is what there is"),
                };
                Self::conflict(
                    "insufficient_stock",
                    "there is less than is to be taken away",
                )
                .with_errors(vec![short])
            }
            AdjustStockError::Refused(refusal @ AdjustStockRefusal::TooMuch) => {
                Self::validation(FieldErrors::at("/quantity", format!("is too much: {refusal}")))
            }
            AdjustStockError::Store(error) => error.into(),
        }
    }
}
