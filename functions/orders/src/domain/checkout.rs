//! What a client asks for when it places an order, read and checked.

use std::collections::HashSet;

use contracts::events::Quantity;
use kernel::{
    Address, ProductId,
    input::{FromInput, FieldErrors, Value},
};

/// Lines of an order: the catalog holds all of them in one transaction, which
/// DynamoDB limits to 100 writes.
pub const ITEMS_MAX: usize = 50;
/// Pieces of one product in an order: far over what a household buys, and a
/// bound on what one request can take off the shelf.
pub const QUANTITY_MAX: i64 = 1_000;
/// Characters of a payment method's token after `pm_`; providers' have under 40.
pub const PAYMENT_METHOD_LENGTH_MAX: usize = 60;

/// The body of `POST /api/orders`.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceOrder {
    /// What, each product once.
    pub items: Vec<Quantity>,
    /// Where to.
    pub shipping_address: Address,
    /// Paid with what.
    pub payment_method: PaymentMethod,
}

/// A payment provider's token of a means of payment: `pm_…`. Never a card number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod(String);

impl PaymentMethod {
    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromInput for PlaceOrder {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let items = fields.required_with("items", |value| {
            let items = value.list::<Item>(1..=ITEMS_MAX)?;
            each_product_once(items.into_iter().map(|item| item.0).collect())
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

/// One element of `items`.
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

fn each_product_once(items: Vec<Quantity>) -> Result<Vec<Quantity>, FieldErrors> {
    let mut seen = HashSet::new();
    let again = items
        .iter()
        .enumerate()
        .filter(|(_, item)| !seen.insert(item.product_id));
    let refusals: Vec<_> = again
        .flat_map(|(index, _)| {
            FieldErrors::at(format!("/{index}/productId"), "is in the order already").0
        })
        .collect();
    if refusals.is_empty() {
        Ok(items)
    } else {
        Err(FieldErrors(refusals))
    }
}

impl FromInput for PaymentMethod {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.text()?;
        let fits = |rest: &str| {
            (1..=PAYMENT_METHOD_LENGTH_MAX).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if text.strip_prefix("pm_").is_some_and(fits) {
            Ok(Self(text.into_owned()))
        } else {
            Err(FieldErrors::new(
                "must be a payment method's token, such as pm_card_visa",
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

    fn refused(body: &Json) -> Vec<String> {
        let raw = to_raw_value(body).unwrap();
        match PlaceOrder::from_input(Value::Json(&raw)) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.0.into_iter().map(|refusal| refusal.field).collect(),
        }
    }

    fn with(pointer: &str, value: Json) -> Json {
        let mut body = body();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    }

    #[test]
    fn a_good_body_reads() {
        assert!(refused(&body()).is_empty());
        for (pointer, value) in [
            ("/shippingAddress/line2", json!(null)),
            ("/shippingAddress/state", json!("Greater London")),
            ("/shippingAddress/name", json!("n".repeat(100))),
            ("/paymentMethod", json!(format!("pm_{}", "a".repeat(60)))),
        ] {
            assert!(refused(&with(pointer, value)).is_empty(), "{pointer}");
        }
        let mut most = body();
        most["items"][0]["quantity"] = json!(1_000);
        assert!(refused(&most).is_empty());
    }

    #[test]
    fn each_fault_is_named_by_its_field() {
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
            assert_eq!(refused(&with(pointer, value.clone())), [pointer], "{value}");
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
            assert_eq!(refused(&body), [format!("/items/0/{name}")]);
        }
    }

    #[test]
    fn a_product_may_be_named_once_and_fifty_lines_are_the_most() {
        let mut twice = body();
        twice["items"] = json!([twice["items"][0], twice["items"][0]]);
        assert_eq!(refused(&twice), ["/items/1/productId"]);

        let lines = |n: usize| -> Vec<Json> {
            (0..n)
                .map(|_| json!({"productId": testkit::new_id::<ProductId>(), "quantity": 1}))
                .collect()
        };
        assert!(refused(&with("/items", json!(lines(50)))).is_empty());
        assert_eq!(refused(&with("/items", json!(lines(51)))), ["/items"]);
    }
}
