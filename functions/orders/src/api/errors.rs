//! Where the service's errors become replies.

use contracts::{calls::Shortage, events::Quantity};
use kernel::input::{FieldError, FieldErrors};
use runtime::http::ApiError;

use super::place_order::PlaceOrderError;
use crate::domain::RefuseOrderError;

impl From<PlaceOrderError> for ApiError {
    fn from(error: PlaceOrderError) -> Self {
        match error {
            PlaceOrderError::Short { asked, shortages } => short(&asked, &shortages),
            PlaceOrderError::HoldOver => Self::conflict(
                "reservation_expired",
                "the goods were held by an earlier try with this Idempotency-Key, and that hold \
                 has run out; nothing was ordered or charged: send the request again",
            ),
            PlaceOrderError::Unacceptable(error) => unacceptable(error),
            PlaceOrderError::Claim(error) => error.into(),
            PlaceOrderError::Catalog(error) => error.into(),
            PlaceOrderError::Store(error) => error.into(),
            PlaceOrderError::Reply(error) => error,
        }
    }
}

fn unacceptable(error: RefuseOrderError) -> ApiError {
    match error {
        RefuseOrderError::MixedCurrencies { line } => ApiError::validation(FieldErrors::at(
            format!("/items/{line}/productId"),
            "must have its price in the currency of the first item",
        )),
        RefuseOrderError::TooLarge => {
            ApiError::validation(FieldErrors::at("/items", "come to more than an order may"))
        }
        RefuseOrderError::OtherGoods => ApiError::internal(error),
    }
}

/// 409 with what there is of each line; but products that are not there at all
/// are a mistake in the request: 422.
fn short(asked: &[Quantity], shortages: &[Shortage]) -> ApiError {
    let lines = || {
        shortages.iter().filter_map(|short| {
            let line = asked
                .iter()
                .position(|item| item.product_id == short.product_id)?;
            Some((line, short.available))
        })
    };
    let unknown: Vec<FieldError> = lines()
        .filter(|(_, available)| available.is_none())
        .map(|(line, _)| FieldError {
            field: format!("/items/{line}/productId"),
            message: "is not a product that can be ordered".into(),
        })
        .collect();
    if !unknown.is_empty() {
        return ApiError::validation(FieldErrors(unknown));
    }
    let errors = lines().filter_map(|(line, available)| {
        Some(FieldError {
            field: format!("/items/{line}/quantity"),
            message: format!("only {} available", available?),
        })
    });
    ApiError::conflict(
        "insufficient_stock",
        "there is not enough of some items; see errors",
    )
    .with_errors(errors.collect())
}
