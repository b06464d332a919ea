//! The service's errors as HTTP replies.

use contracts::{OrderTotalError, calls::Shortage, events::Quantity};
use dynamo::idempotency::ClaimError;
use kernel::input::{FieldError, FieldErrors};
use runtime::http::ApiError;

use super::{order_limits::LimitError, place_order::PlaceOrderError};
use crate::domain::{Dimension, HoldRefusal, InvalidOrderError, RefusalReason};

/// A product that many buy at once is in shards, or sold, a second later.
const RETRY_AFTER_CONTENDED_SECONDS: u32 = 2;
/// After running out of time: whatever is slow needs a moment.
const RETRY_AFTER_SECONDS: u32 = 5;

impl From<PlaceOrderError> for ApiError {
    fn from(error: PlaceOrderError) -> Self {
        match error {
            PlaceOrderError::InsufficientStock {
                requested,
                shortages,
            } => insufficient_stock(&requested, &shortages),
            PlaceOrderError::UnverifiedLimit {
                requested,
                excesses,
            } => unverified_limit(&requested, &excesses),
            PlaceOrderError::ReservationExpired => Self::conflict(
                "reservation_expired",
                "the goods reserved by an earlier request with this Idempotency-Key are no longer \
                 reserved; nothing was ordered or charged, so send the request again",
            ),
            PlaceOrderError::Contended => Self::unavailable(RETRY_AFTER_CONTENDED_SECONDS),
            PlaceOrderError::Limited(error) => limited(error),
            PlaceOrderError::InvalidTotal(error)
            | PlaceOrderError::Invalid(InvalidOrderError::Total(error)) => invalid_total(error),
            PlaceOrderError::Invalid(error @ InvalidOrderError::ReservationMismatch) => {
                Self::internal(error)
            }
            PlaceOrderError::Claim(ClaimError::Reused) => Self::idempotency_key_reused(),
            PlaceOrderError::Claim(ClaimError::InProgress) | PlaceOrderError::ClaimLost => {
                Self::idempotency_in_progress()
            }
            PlaceOrderError::Claim(ClaimError::Store(error)) | PlaceOrderError::Store(error) => {
                error.into()
            }
            PlaceOrderError::OutOfTime => Self::unavailable(RETRY_AFTER_SECONDS),
            PlaceOrderError::Catalog(error) => error.into(),
            PlaceOrderError::Reply(error) => error,
        }
    }
}

fn limited(error: LimitError) -> ApiError {
    match error {
        LimitError::Placement {
            retry_after_seconds,
        } => ApiError::too_many_requests(
            retry_after_seconds,
            "too many orders in a short time; try again later",
        ),
        LimitError::Hold(refusal) => {
            ApiError::too_many_requests(refusal.retry_after_seconds(), explain(&refusal))
        }
        LimitError::Store(error) => error.into(),
    }
}

const fn explain(refusal: &HoldRefusal) -> &'static str {
    match (refusal.reason, refusal.dimension) {
        (RefusalReason::OpenOrders, Dimension::Person) => {
            "too many of your orders are not paid yet; try again when one of them is"
        }
        (RefusalReason::OpenOrders, Dimension::PaymentMethod) => {
            "too many orders with this payment method are not paid yet; try again later"
        }
        (RefusalReason::OpenOrders, Dimension::Address) => {
            "too many orders from your network are not paid yet; try again later"
        }
        (RefusalReason::DeclinedPayments, Dimension::Person) => {
            "too many of your payments were declined; try again later"
        }
        (RefusalReason::DeclinedPayments, Dimension::PaymentMethod) => {
            "this payment method was declined too often; use another, or try again later"
        }
        (RefusalReason::DeclinedPayments, Dimension::Address) => {
            "too many payments from your network were declined; try again later"
        }
    }
}

fn invalid_total(error: OrderTotalError) -> ApiError {
    match error {
        OrderTotalError::MixedCurrencies { line } => ApiError::validation(FieldErrors::at(
            format!("/items/{line}/productId"),
            "must be priced in the currency of the first item",
        )),
        OrderTotalError::TooLarge => {
            ApiError::validation(FieldErrors::at("/items", "exceed the maximum order total"))
        }
    }
}

/// 409 with the available quantity of each short line. Unknown products are an
/// error in the request, and so 422.
fn insufficient_stock(requested: &[Quantity], shortages: &[Shortage]) -> ApiError {
    let (mut unknown, mut short) = (Vec::new(), Vec::new());
    for shortage in shortages {
        let mut items = requested.iter();
        let Some(line) = items.position(|item| item.product_id == shortage.product_id) else {
            continue;
        };
        match shortage.available {
            None => unknown.push(FieldError {
                field: format!("/items/{line}/productId"),
                message: "is not a product that can be ordered".into(),
            }),
            Some(available) => short.push(FieldError {
                field: format!("/items/{line}/quantity"),
                message: format!("only {available} available"),
            }),
        }
    }
    if !unknown.is_empty() {
        return ApiError::validation(FieldErrors(unknown));
    }
    ApiError::conflict(
        "insufficient_stock",
        "there is not enough stock for some items; see errors",
    )
    .with_errors(short)
}

fn unverified_limit(requested: &[Quantity], excesses: &[Shortage]) -> ApiError {
    let error = |excess: &Shortage| {
        let mut items = requested.iter();
        let line = items.position(|item| item.product_id == excess.product_id)?;
        let available = excess.available.unwrap_or_default();
        Some(FieldError {
            field: format!("/items/{line}/quantity"),
            message: format!("only {available} available until you verify your email address"),
        })
    };
    ApiError::conflict(
        "unverified_limit",
        "accounts without a verified email address can order only a part of the stock; verify \
         yours and send the request again, or order less; see errors",
    )
    .with_errors(excesses.iter().filter_map(error).collect())
}
