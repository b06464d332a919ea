//! Products.

use std::collections::HashSet;

use jiff::Timestamp;
use kernel::{
    CategoryId, Currency, Decimal, Money, ProductId,
    input::{FromInput, FieldErrors, Value},
};
use serde::{Deserialize, Serialize};

use super::Category;

/// What can be ordered of one product: more than any warehouse has of it, and
/// far below where sums of it overflow.
pub const STOCK_MAX: u32 = 1_000_000;
/// Tags of a product: each is one more place where it is listed.
pub const TAGS_MAX: usize = 10;
/// Characters of a tag.
const TAG_LENGTH_MAX: usize = 30;
/// Characters of a name.
const NAME_LENGTH_MAX: usize = 200;
/// Characters of a description. It is part of the item that every order of the
/// product writes, at a write unit a kilobyte: a few hundred are better.
const DESCRIPTION_LENGTH_MAX: usize = 5_000;

/// A tag, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    /// The tag.
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

/// A product as a client asks for it.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its price, in its currency.
    pub price: Decimal,
    /// The currency, when it is not the shop's.
    pub currency: Option<Currency>,
    /// The category it is to be in.
    pub category_id: CategoryId,
    /// How many can be ordered.
    pub stock: u32,
    /// Its tags, each once.
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
                tags: each_once(tags.unwrap_or_default()),
            })
        })
    }
}

/// A number of goods, from none to [`STOCK_MAX`].
pub(super) fn quantity(value: Value<'_>) -> Result<u32, FieldErrors> {
    let number = value.whole_number(0..=i64::from(STOCK_MAX))?;
    u32::try_from(number).map_err(|error| FieldErrors::new(error.to_string()))
}

fn each_once(mut tags: Vec<Tag>) -> Vec<Tag> {
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags
}

impl NewProduct {
    /// The price, in the currency that was named or else the shop's.
    ///
    /// # Errors
    /// What is wrong with it, at `/price`.
    pub fn price_in(&self, shop: Currency) -> Result<Money, FieldErrors> {
        let currency = self.currency.unwrap_or(shop);
        let refused = |message: String| FieldErrors::at("/price", message);
        let price = self.price.in_currency(currency);
        let price = price.map_err(|error| refused(error.to_string()))?;
        if price.minor() == 0 {
            return Err(refused("must be more than zero".into()));
        }
        Ok(price)
    }
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id; later ones are greater.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What one costs.
    pub price: Money,
    /// The category it is in.
    pub category_id: CategoryId,
    /// All categories it is in, from the root to its own.
    pub categories: Vec<CategoryId>,
    /// How many can be ordered now: neither held nor sold.
    pub stock: u32,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Whether it can be ordered at all.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it, also its stock, last changed.
    pub updated_at: Timestamp,
    /// How often it has changed, its making included.
    pub version: u64,
}

impl Product {
    /// A new product.
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
            tags: input.tags,
            active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    fn read(json: &str) -> Result<NewProduct, Vec<String>> {
        let raw: Box<serde_json::value::RawValue> = serde_json::from_str(json).unwrap();
        let read = NewProduct::from_input(Value::Json(&raw));
        read.map_err(|wrong| wrong.0.into_iter().map(|refusal| refusal.field).collect())
    }

    fn with_price(price: &str, currency: &str) -> Result<i64, String> {
        let category = to_raw_value(&testkit::new_id::<CategoryId>()).unwrap();
        let json = format!(
            r#"{{"name":"x","price":{price},"currency":"{currency}","categoryId":{category}}}"#
        );
        let priced = read(&json).unwrap().price_in(Currency::EUR);
        priced
            .map(Money::minor)
            .map_err(|wrong| wrong.0[0].field.clone())
    }

    #[test]
    fn a_price_has_the_decimals_of_its_currency_and_is_not_nothing() {
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
    fn tags_are_lower_case_and_each_is_kept_once() {
        let id = testkit::new_id::<CategoryId>();
        let json =
            format!(r#"{{"name":"x","price":1,"categoryId":"{id}","tags":["New"," new ","Old"]}}"#);
        let tags = read(&json).unwrap().tags;
        let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["new", "old"]);
    }

    #[test]
    fn every_fault_is_named() {
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
