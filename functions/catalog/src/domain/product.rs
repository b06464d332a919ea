use std::collections::HashSet;

use jiff::Timestamp;
use kernel::{
    CategoryId, Currency, Decimal, Money, ProductId,
    input::{FieldErrors, FromInput, Value},
};
use serde::{Deserialize, Serialize};

use super::Category;

/// The available stock of a product: more than any warehouse has, and far below
/// where sums overflow.
pub const STOCK_MAX: u32 = 1_000_000;
/// Each tag is one more entry in the transaction that creates the product.
pub const TAGS_MAX: usize = 10;
const TAG_LENGTH_MAX: usize = 30;
const NAME_LENGTH_MAX: usize = 200;
/// The description is part of the item that every order of the product writes,
/// at a write unit a kilobyte: a few hundred characters are better.
const DESCRIPTION_LENGTH_MAX: usize = 5_000;

/// A tag, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromInput for Tag {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.trimmed(1..=TAG_LENGTH_MAX)?;
        Ok(Self(text.to_lowercase()))
    }
}

/// A product as a client requests it.
#[derive(Clone, Debug)]
pub struct NewProduct {
    pub name: String,
    pub description: Option<String>,
    pub price: Decimal,
    /// Defaults to the shop's.
    pub currency: Option<Currency>,
    pub category_id: CategoryId,
    pub stock: u32,
    /// Without duplicates.
    pub tags: Vec<Tag>,
}

impl FromInput for NewProduct {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let name = fields.required_with("name", |v| v.trimmed(1..=NAME_LENGTH_MAX));
        let description =
            fields.optional_with("description", |v| v.trimmed(0..=DESCRIPTION_LENGTH_MAX));
        let price = fields.required("price");
        let currency = fields.optional("currency");
        let category_id = fields.required("categoryId");
        let stock = fields.optional_with("stock", quantity);
        let tags = fields.optional_with("tags", |v| v.list::<Tag>(0..=TAGS_MAX));
        fields.finish(|| {
            Some(Self {
                name: name?,
                description,
                price: price?,
                currency,
                category_id: category_id?,
                stock: stock.unwrap_or(0),
                tags: without_duplicates(tags.unwrap_or_default()),
            })
        })
    }
}

/// From 0 to [`STOCK_MAX`].
pub(super) fn quantity(value: Value<'_>) -> Result<u32, FieldErrors> {
    let number = value.whole_number(0..=i64::from(STOCK_MAX))?;
    u32::try_from(number).map_err(|error| FieldErrors::new(error.to_string()))
}

fn without_duplicates(mut tags: Vec<Tag>) -> Vec<Tag> {
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags
}

impl NewProduct {
    /// The price in the requested currency, or in the shop's.
    ///
    /// # Errors
    /// At `/price`, when it has too many decimals or is not positive.
    pub fn resolve_price(&self, shop_currency: Currency) -> Result<Money, FieldErrors> {
        let currency = self.currency.unwrap_or(shop_currency);
        let invalid = |message: String| FieldErrors::at("/price", message);
        let price = self.price.in_currency(currency);
        let price = price.map_err(|error| invalid(error.to_string()))?;
        if price.minor() == 0 {
            return Err(invalid("must be greater than zero".into()));
        }
        Ok(price)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub id: ProductId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub price: Money,
    pub category_id: CategoryId,
    /// From the root to the product's own category.
    pub categories: Vec<CategoryId>,
    /// The available stock: neither held nor sold.
    pub stock: u32,
    /// Units held for orders that are not paid: on hand, but not available.
    /// Those of reservations that the release before this number made are
    /// missing in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u32,
    /// How many units are held for buyers who have not proven their address.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_unverified: u32,
    /// Its shards; goods in them are not counted in the numbers above.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shards: u32,
    /// How many it has ever had.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shards_opened: u32,
    /// The available stock and the held units in all shards, when they were
    /// last counted: at the opening, and every minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shard_stock: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shard_held: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Whether it is listed and can be ordered.
    pub active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts the changes, those of the stock included, from 1.
    pub version: u64,
}

impl Product {
    pub fn create(
        id: ProductId,
        input: NewProduct,
        price: Money,
        category: &Category,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name: input.name,
            description: input.description.filter(|text| !text.is_empty()),
            price,
            category_id: category.id,
            categories: category.path(),
            stock: input.stock,
            held: 0,
            held_unverified: 0,
            shards: 0,
            shards_opened: 0,
            shard_stock: 0,
            shard_held: 0,
            tags: input.tags,
            active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to skip_serializing_if"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn read(json: &str) -> Result<NewProduct, Vec<String>> {
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(json).unwrap();
        let read = NewProduct::from_input(Value::Json(&raw));
        read.map_err(|errors| errors.0.into_iter().map(|error| error.field).collect())
    }

    fn with_price(price: &str, currency: &str) -> Result<i64, String> {
        let category = to_raw_value(&testkit::new_id::<CategoryId>()).unwrap();
        let json = format!(
            r#"{{"name":"x","price":{price},"currency":"{currency}","categoryId":{category}}}"#
        );
        let priced = read(&json).unwrap().resolve_price(Currency::EUR);
        priced
            .map(Money::minor)
            .map_err(|errors| errors.0[0].field.clone())
    }

    #[test]
    fn a_price_is_positive_and_has_the_decimals_of_its_currency() {
        assert_eq!(with_price("19.99", "USD"), Ok(1_999));
        assert_eq!(with_price("500", "JPY"), Ok(500));
        for (price, currency) in [
            ("1.234", "USD"),
            ("0.5", "JPY"),
            ("0", "USD"),
            ("-1", "USD"),
        ] {
            assert_eq!(with_price(price, currency), Err("/price".into()), "{price}");
        }
    }

    #[test]
    fn tags_are_lower_cased_and_deduplicated() {
        let id = testkit::new_id::<CategoryId>();
        let json =
            format!(r#"{{"name":"x","price":1,"categoryId":"{id}","tags":["New"," new ","Old"]}}"#);
        let tags = read(&json).unwrap().tags;
        let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["new", "old"]);
    }

    #[test]
    fn every_invalid_field_is_reported() {
        let json = r#"{"name":" ","price":"1","categoryId":"x","stock":1000001,"tags":["",7],
                       "currency":"XYZ","description":null,"color":"red"}"#;
        let fields = read(json).unwrap_err();
        let expected = [
            "/name",
            "/price",
            "/currency",
            "/categoryId",
            "/stock",
            "/tags/0",
            "/tags/1",
            "/color",
        ];
        assert_eq!(fields, expected);
    }
}
