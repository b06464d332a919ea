//! The entries by which products are listed and found.

use std::collections::BTreeSet;

use kernel::{Currency, Money, ProductId};
use serde::Serialize;

use crate::domain::{Facet, Product, Tag, fold, index_words};

/// A sort key has at most 1,024 bytes, and a character up to four.
const NAME_KEY_LENGTH_MAX: usize = 200;

/// An entry has no more attributes than a search of its list filters by: that of
/// a word's list has all of them, that of a tag's list the categories and the
/// price, that of a category's list only the price.
#[derive(Serialize)]
pub(super) struct ListEntry {
    pk: String,
    sk: ProductId,
    list: String,
    by_price: String,
    by_name: String,
    amount: i64,
    currency: Currency,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    categories: BTreeSet<String>,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    tags: BTreeSet<String>,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    words: BTreeSet<String>,
}

/// One entry for each facet of the product.
pub(super) fn list_entries(product: &Product) -> Vec<ListEntry> {
    let words = index_words(product);
    let facets = Facet::of(product, &words).into_iter();
    facets
        .map(|facet| list_entry(product, &words, &facet))
        .collect()
}

fn list_entry(product: &Product, words: &[String], facet: &Facet) -> ListEntry {
    let is_word = matches!(facet, Facet::Word(_));
    let is_word_or_tag = is_word || matches!(facet, Facet::Tag(_));
    let categories = product.categories.iter().map(ToString::to_string);
    let tags = product.tags.iter().map(Tag::as_str).map(str::to_owned);
    let list = list_key(facet);
    ListEntry {
        pk: list.clone(),
        sk: product.id,
        list,
        by_price: price_key(product.price, product.id),
        by_name: name_key(&product.name, product.id),
        amount: product.price.minor(),
        currency: product.price.currency(),
        categories: categories.filter(|_| is_word_or_tag).collect(),
        tags: tags.filter(|_| is_word).collect(),
        words: words.iter().filter(|_| is_word).cloned().collect(),
    }
}

pub(super) fn list_key(facet: &Facet) -> String {
    format!("LIST#{facet}")
}

/// Sorts by amount within a currency; twelve digits hold the largest amount.
fn price_key(price: Money, id: ProductId) -> String {
    format!("{}#{:012}#{id}", price.currency().code(), price.minor())
}

/// The tab sorts before every letter, so a name precedes its extensions.
fn name_key(name: &str, id: ProductId) -> String {
    let name: String = fold(name).chars().take(NAME_KEY_LENGTH_MAX).collect();
    format!("{name}\t{id}")
}
