//! Product search.
//!
//! A product has an entry in a list for each [`Facet`] that it has. A search
//! reads the list that is probably the shortest, and filters it by the rest of
//! its terms.

use std::{collections::HashSet, fmt};

use kernel::{CategoryId, Currency, Decimal, Money, input::FieldErrors};

use super::{CATEGORY_DEPTH_MAX, Product, TAGS_MAX, Tag, text};

/// Indexed words of a product: each is one more entry in the transaction that
/// creates it.
pub const WORDS_MAX: usize = 50;
/// Each word of a search is one more condition.
const SEARCH_WORDS_MAX: usize = 10;

// A product, its event, the check of its category, and its entries in the lists
// of all products, of its categories, tags and words are one transaction, which
// DynamoDB limits to 100 items.
const _: () = assert!(3 + 1 + CATEGORY_DEPTH_MAX + TAGS_MAX + WORDS_MAX <= 100);

/// What the products of a list have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    All,
    /// The category or one below it.
    Category(CategoryId),
    Tag(Tag),
    Word(String),
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ALL"),
            Self::Category(id) => write!(f, "CATEGORY#{id}"),
            Self::Tag(tag) => write!(f, "TAG#{}", tag.as_str()),
            Self::Word(word) => write!(f, "WORD#{word}"),
        }
    }
}

impl Facet {
    /// Every facet of a product with these indexed words.
    pub fn of(product: &Product, words: &[String]) -> Vec<Self> {
        let categories = product.categories.iter().copied().map(Self::Category);
        let tags = product.tags.iter().cloned().map(Self::Tag);
        let words = words.iter().cloned().map(Self::Word);
        let all = std::iter::once(Self::All);
        all.chain(categories).chain(tags).chain(words).collect()
    }
}

/// The words by which a product is found: the first [`WORDS_MAX`] of its name,
/// its tags and its description, in this order.
pub fn index_words(product: &Product) -> Vec<String> {
    let tags = product.tags.iter().map(Tag::as_str);
    let texts = std::iter::once(product.name.as_str())
        .chain(tags)
        .chain(product.description.as_deref());
    let mut seen = HashSet::new();
    texts
        .flat_map(text::words)
        .filter(|word| seen.insert(word.clone()))
        .take(WORDS_MAX)
        .collect()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Newest,
    /// Amounts are compared within a currency.
    PriceAscending,
    PriceDescending,
    /// Ignores case and accents.
    Name,
}

/// A search as a client requests it.
#[derive(Clone, Debug, Default)]
pub struct SearchTerms {
    /// The category or one below it.
    pub category: Option<CategoryId>,
    pub tag: Option<Tag>,
    /// A product must have all words of this text.
    pub search: Option<String>,
    /// Inclusive, in the shop's currency.
    pub min_price: Option<Decimal>,
    /// Inclusive, in the shop's currency.
    pub max_price: Option<Decimal>,
    pub sort: Sort,
}

/// An inclusive range of prices. Prices in other currencies are outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    pub currency: Currency,
    /// In minor units.
    pub min: Option<i64>,
    /// In minor units.
    pub max: Option<i64>,
}

/// What a product in the list must match in addition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    pub category: Option<CategoryId>,
    pub tag: Option<Tag>,
    /// All of them.
    pub words: Vec<String>,
    pub price: Option<PriceRange>,
}

/// How to execute a search: the list to read, its order and the filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub facet: Facet,
    pub filters: Filters,
    pub sort: Sort,
}

impl Search {
    /// Plans a search; `None` if the terms cannot match any product.
    ///
    /// # Errors
    /// The invalid terms, by query parameter.
    pub fn plan(terms: SearchTerms, shop_currency: Currency) -> Result<Option<Self>, FieldErrors> {
        let price = price_range(&terms, shop_currency)?;
        let mut words = match &terms.search {
            None => Vec::new(),
            Some(text) => {
                let words = text::words(text);
                if words.is_empty() {
                    // Only stop words or punctuation, which are not indexed.
                    return Ok(None);
                }
                words
            }
        };
        words.sort_by_key(|word| (std::cmp::Reverse(word.chars().count()), word.clone()));
        words.dedup();
        if words.len() > SEARCH_WORDS_MAX {
            let message = format!("must have at most {SEARCH_WORDS_MAX} words");
            return Err(FieldErrors::at("search", message));
        }
        let mut filters = Filters {
            category: terms.category,
            tag: terms.tag,
            words,
            price,
        };
        let facet = filters.remove_most_selective();
        Ok(Some(Self {
            facet,
            filters,
            sort: terms.sort,
        }))
    }

    /// Identifies the search, so that its cursors open no other.
    pub fn list_name(&self) -> String {
        format!("products {self:?}")
    }

    /// Whether the list is sorted by price.
    pub const fn is_by_price(&self) -> bool {
        matches!(self.sort, Sort::PriceAscending | Sort::PriceDescending)
    }
}

impl Filters {
    /// Removes the filter that probably matches the fewest products: the longest
    /// word, or else the tag, or else the category.
    fn remove_most_selective(&mut self) -> Facet {
        if !self.words.is_empty() {
            return Facet::Word(self.words.remove(0));
        }
        let tag = self.tag.take().map(Facet::Tag);
        let category = || self.category.take().map(Facet::Category);
        tag.or_else(category).unwrap_or(Facet::All)
    }
}

fn price_range(
    terms: &SearchTerms,
    shop_currency: Currency,
) -> Result<Option<PriceRange>, FieldErrors> {
    let bound = |name: &str, price: &Option<Decimal>| {
        let price = price.as_ref().map(|price| price.in_currency(shop_currency));
        let minor = price.transpose().map(|price| price.map(Money::minor));
        minor.map_err(|error| FieldErrors::at(name, error.to_string()).0)
    };
    match (
        bound("minPrice", &terms.min_price),
        bound("maxPrice", &terms.max_price),
    ) {
        (Ok(None), Ok(None)) => Ok(None),
        (Ok(Some(min)), Ok(Some(max))) if min > max => {
            Err(FieldErrors::at("minPrice", "must not exceed maxPrice"))
        }
        (Ok(min), Ok(max)) => Ok(Some(PriceRange {
            currency: shop_currency,
            min,
            max,
        })),
        (min, max) => Err(FieldErrors(
            [min.err(), max.err()]
                .into_iter()
                .flatten()
                .flatten()
                .collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(terms: SearchTerms) -> Result<Option<Search>, Vec<String>> {
        let planned = Search::plan(terms, Currency::USD);
        planned.map_err(|errors| errors.0.into_iter().map(|error| error.field).collect())
    }

    fn decimal(text: &str) -> Option<Decimal> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_search_reads_the_most_selective_list_and_filters_by_the_rest() {
        let category = testkit::new_id::<CategoryId>();
        let terms = SearchTerms {
            category: Some(category),
            search: Some("Red desk lamps of red".into()),
            ..SearchTerms::default()
        };
        let search = plan(terms).unwrap().unwrap();
        assert_eq!(search.facet, Facet::Word("desk".into()));
        assert_eq!(search.filters.words, ["lamp", "red"]);
        assert_eq!(search.filters.category, Some(category));

        let only = SearchTerms {
            category: Some(category),
            ..SearchTerms::default()
        };
        let search = plan(only).unwrap().unwrap();
        assert_eq!(search.facet, Facet::Category(category));
        assert_eq!(search.filters, Filters::default());
        assert_eq!(
            plan(SearchTerms::default()).unwrap().unwrap().facet,
            Facet::All
        );
    }

    #[test]
    fn terms_that_match_nothing_have_no_plan_and_invalid_terms_are_errors() {
        let search = |text: &str| SearchTerms {
            search: Some(text.into()),
            ..SearchTerms::default()
        };
        assert_eq!(plan(search("the !")), Ok(None));
        let many = "aa bb cc dd ee ff gg hh ii jj kk";
        assert_eq!(plan(search(many)), Err(vec!["search".into()]));
        let prices = |min, max| SearchTerms {
            min_price: min,
            max_price: max,
            ..SearchTerms::default()
        };
        let both = plan(prices(decimal("1.001"), decimal("-1")));
        assert_eq!(both, Err(vec!["minPrice".into(), "maxPrice".into()]));
        let crossed = plan(prices(decimal("2"), decimal("1.99")));
        assert_eq!(crossed, Err(vec!["minPrice".into()]));
        let range = plan(prices(decimal("2"), decimal("2.00")));
        let range = range.unwrap().unwrap().filters.price.unwrap();
        assert_eq!((range.min, range.max), (Some(200), Some(200)));
    }

    #[test]
    fn different_searches_have_different_list_names() {
        let named = |sort, search: Option<&str>| {
            let terms = SearchTerms {
                sort,
                search: search.map(str::to_owned),
                ..SearchTerms::default()
            };
            plan(terms).unwrap().unwrap().list_name()
        };
        let names = [
            named(Sort::Newest, None),
            named(Sort::PriceAscending, None),
            named(Sort::PriceDescending, None),
            named(Sort::Name, None),
            named(Sort::Name, Some("lamp")),
            named(Sort::Name, Some("lamp red")),
        ];
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
