//! The body of `POST /api/orders`, validated.

use std::collections::HashSet;

use contracts::events::Quantity;
use kernel::{
    Address, ProductId,
    input::{FieldError, FieldErrors, FromInput, Value},
};

/// Lines in an order: catalog reserves all of them in one transaction, which
/// DynamoDB limits to 100 writes.
const ITEMS_MAX: usize = 50;
/// Pieces of one product in an order: far more than a household buys, and a
/// bound on the stock that one request can reserve.
const QUANTITY_MAX: i64 = 1_000;
/// Characters in a payment method's token after `pm_`; providers use under 40.
const PAYMENT_METHOD_LENGTH_MAX: usize = 60;

#[derive(Clone, Debug, PartialEq)]
pub struct PlaceOrder {
    /// Each product once.
    pub items: Vec<Quantity>,
    pub shipping_address: Address,
    pub payment_method: PaymentMethod,
}

/// The payment provider's token for a payment method, `pm_…`; never a card number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod(String);

impl PaymentMethod {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromInput for PlaceOrder {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let items = fields.required_with("items", |value| {
            let items = value.list::<Item>(1..=ITEMS_MAX)?;
            reject_duplicates(items.into_iter().map(|item| item.0).collect())
        });
        let shipping_address = fields.required("shippingAddress");
        let payment_method = fields.required("paymentMethod");
        fields.finish(|| {
            Some(Self {
                items: items?,
                shipping_address: shipping_address?,
                payment_method: payment_method?,
            })
        })
    }
}

struct Item(Quantity);

impl FromInput for Item {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let product_id = fields.required::<ProductId>("productId");
        let quantity = fields.required_with("quantity", |v| v.whole_number(1..=QUANTITY_MAX));
        fields.finish(|| {
            Some(Self(Quantity {
                product_id: product_id?,
                quantity: u32::try_from(quantity?).ok()?,
            }))
        })
    }
}

fn reject_duplicates(items: Vec<Quantity>) -> Result<Vec<Quantity>, FieldErrors> {
    let mut seen = HashSet::new();
    let duplicates = items
        .iter()
        .enumerate()
        .filter(|(_, item)| !seen.insert(item.product_id));
    let errors: Vec<_> = duplicates
        .map(|(index, _)| FieldError {
            field: format!("/{index}/productId"),
            message: "is already in the order".into(),
        })
        .collect();
    if errors.is_empty() {
        Ok(items)
    } else {
        Err(FieldErrors(errors))
    }
}

impl FromInput for PaymentMethod {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.text()?;
        let is_valid = |rest: &str| {
            (1..=PAYMENT_METHOD_LENGTH_MAX).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if text.strip_prefix("pm_").is_some_and(is_valid) {
            Ok(Self(text.into_owned()))
        } else {
            Err(FieldErrors::new(
                "must be a payment method token, such as pm_card_visa",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json, value::to_raw_value};

    use super::*;

    fn body() -> Json {
        json!({
            "items": [{"productId": "01890a5d-ac96-774b-bcce-b302099a8057", "quantity": 2}],
            "shippingAddress": {
                "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London",
                "postalCode": "SW1Y 4JH", "country": "GB"
            },
            "paymentMethod": "pm_card_visa"
        })
    }

    fn invalid_fields(body: &Json) -> Vec<String> {
        let raw = to_raw_value(body).unwrap();
        match PlaceOrder::from_input(Value::Json(&raw)) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.0.into_iter().map(|error| error.field).collect(),
        }
    }

    fn with(pointer: &str, value: Json) -> Json {
        let mut body = body();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    }

    #[test]
    fn a_valid_body_is_accepted() {
        assert!(invalid_fields(&body()).is_empty());
        for (pointer, value) in [
            ("/shippingAddress/line2", json!(null)),
            ("/shippingAddress/state", json!("Greater London")),
            ("/shippingAddress/name", json!("n".repeat(100))),
            ("/paymentMethod", json!(format!("pm_{}", "a".repeat(60)))),
        ] {
            assert!(
                invalid_fields(&with(pointer, value)).is_empty(),
                "{pointer}"
            );
        }
        let mut largest = body();
        largest["items"][0]["quantity"] = json!(1_000);
        assert!(invalid_fields(&largest).is_empty());
    }

    #[test]
    fn each_error_names_its_field() {
        for (pointer, value) in [
            ("/items", json!([])),
            ("/items", json!("all of them")),
            ("/shippingAddress", json!(null)),
            ("/shippingAddress/name", json!("  ")),
            ("/shippingAddress/name", json!("n".repeat(101))),
            ("/shippingAddress/line1", json!("one\ntwo")),
            ("/shippingAddress/city", json!(7)),
            ("/shippingAddress/postalCode", json!("")),
            ("/shippingAddress/country", json!("gb")),
            ("/shippingAddress/country", json!("XX")),
            ("/shippingAddress/planet", json!("Earth")),
            ("/paymentMethod", json!("4242424242424242")),
            ("/paymentMethod", json!("pm_")),
            ("/paymentMethod", json!(format!("pm_{}", "a".repeat(61)))),
            ("/paymentMethod", json!("pm_card visa")),
            ("/coupon", json!("FREE")),
        ] {
            assert_eq!(
                invalid_fields(&with(pointer, value.clone())),
                [pointer],
                "{value}"
            );
        }
        for (name, value) in [
            ("quantity", json!(0)),
            ("quantity", json!(1_001)),
            ("quantity", json!(1.5)),
            ("quantity", json!("2")),
            ("productId", json!("a-thing")),
        ] {
            let mut body = body();
            body["items"][0][name] = value;
            assert_eq!(invalid_fields(&body), [format!("/items/0/{name}")]);
        }
    }

    #[test]
    fn duplicate_products_and_more_than_fifty_lines_are_rejected() {
        let mut duplicate = body();
        duplicate["items"] = json!([duplicate["items"][0], duplicate["items"][0]]);
        assert_eq!(invalid_fields(&duplicate), ["/items/1/productId"]);

        let lines = |n: usize| -> Vec<Json> {
            (0..n)
                .map(|_| json!({"productId": testkit::new_id::<ProductId>(), "quantity": 1}))
                .collect()
        };
        assert!(invalid_fields(&with("/items", json!(lines(50)))).is_empty());
        assert_eq!(
            invalid_fields(&with("/items", json!(lines(51)))),
            ["/items"]
        );
    }
}
