//! Finding products: where each is listed, and in which list a search looks.
//!
//! A product stands in one list for each place where somebody may look for it
//! ([`Facet`]). A search reads one list, the one that is likely the shortest,
//! and leaves out what the rest of its terms does not want.

use std::{collections::HashSet, fmt};

use kernel::{CategoryId, Currency, Decimal, Money, input::FieldErrors};

use super::{CATEGORY_DEPTH_MAX, Product, TAGS_MAX, Tag, text};

/// Words by which a product is found. Each is one more item in the transaction
/// that makes the product.
pub const WORDS_MAX: usize = 50;
/// Words of one search; each is one more condition.
const SEARCH_WORDS_MAX: usize = 10;

// A product, its event, the check of its category, and its entries in the list
// of all products, of its categories, tags and words are one transaction, and
// DynamoDB takes 100 items in one.
const _: () = assert!(3 + 1 + CATEGORY_DEPTH_MAX + TAGS_MAX + WORDS_MAX <= 100);

/// A list of products.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    /// All.
    All,
    /// Those in a category, or in one below it.
    Category(CategoryId),
    /// Those with a tag.
    Tag(Tag),
    /// Those with a word.
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
    /// Every list that a product with these words stands in.
    pub fn of(product: &Product, words: &[String]) -> Vec<Self> {
        let categories = product.categories.iter().copied().map(Self::Category);
        let tags = product.tags.iter().cloned().map(Self::Tag);
        let words = words.iter().cloned().map(Self::Word);
        let all = std::iter::once(Self::All);
        all.chain(categories).chain(tags).chain(words).collect()
    }
}

/// The words by which a product is found: of its name, its tags and its
/// description, in this order, the first [`WORDS_MAX`].
pub fn words_of(product: &Product) -> Vec<String> {
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

/// In which order products are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Those that were made last come first.
    #[default]
    Newest,
    /// The cheapest come first. Amounts are compared within a currency.
    PriceUp,
    /// The dearest come first.
    PriceDown,
    /// By name, without case and accents.
    Name,
}

/// What a client looks for.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// In this category or one below it.
    pub category: Option<CategoryId>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// With all words of this text.
    pub search: Option<String>,
    /// At this price or a higher one, in the shop's currency.
    pub min_price: Option<Decimal>,
    /// At this price or a lower one, in the shop's currency.
    pub max_price: Option<Decimal>,
    /// In which order.
    pub sort: Sort,
}

/// Prices in one currency, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    /// The currency: prices in others are not in the range.
    pub currency: Currency,
    /// The lowest, in minor units.
    pub min: Option<i64>,
    /// The highest, in minor units.
    pub max: Option<i64>,
}

/// What a product that stands in the list must have besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// A category it is in.
    pub category: Option<CategoryId>,
    /// A tag.
    pub tag: Option<Tag>,
    /// Words, all of them.
    pub words: Vec<String>,
    /// A price.
    pub price: Option<PriceRange>,
}

/// How products are looked for: which list, in which order, and what else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The list that is read.
    pub facet: Facet,
    /// What else a product must have.
    pub filters: Filters,
    /// In which order it is read.
    pub sort: Sort,
}

impl Search {
    /// How to look for `terms`, and nothing when they can find nothing.
    ///
    /// # Errors
    /// What is wrong with the terms, by query parameter.
    pub fn plan(terms: Terms, shop: Currency) -> Result<Option<Self>, FieldErrors> {
        let price = price_range(&terms, shop)?;
        let mut words = match &terms.search {
            None => Vec::new(),
            Some(text) => {
                let words = text::words(text);
                if words.is_empty() {
                    // Only stop words or signs, which no product is listed by.
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
        let facet = filters.take_rarest();
        Ok(Some(Self {
            facet,
            filters,
            sort: terms.sort,
        }))
    }

    /// Names the search, so that a cursor is bound to it.
    pub fn name(&self) -> String {
        format!("products {self:?}")
    }

    /// Whether the list is ordered by price.
    pub const fn is_by_price(&self) -> bool {
        matches!(self.sort, Sort::PriceUp | Sort::PriceDown)
    }
}

impl Filters {
    /// Takes out what the fewest products are likely to have: the longest
    /// word, else the tag, else the category.
    fn take_rarest(&mut self) -> Facet {
        if !self.words.is_empty() {
            return Facet::Word(self.words.remove(0));
        }
        let tag = self.tag.take().map(Facet::Tag);
        let category = || self.category.take().map(Facet::Category);
        tag.or_else(category).unwrap_or(Facet::All)
    }
}

fn price_range(terms: &Terms, shop: Currency) -> Result<Option<PriceRange>, FieldErrors> {
    let bound = |name: &str, price: &Option<Decimal>| {
        let price = price.as_ref().map(|price| price.in_currency(shop));
        let minor = price.transpose().map(|price| price.map(Money::minor));
        minor.map_err(|error| FieldErrors::at(name, error.to_string()).0)
    };
    match (
        bound("minPrice", &terms.min_price),
        bound("maxPrice", &terms.max_price),
    ) {
        (Ok(None), Ok(None)) => Ok(None),
        (Ok(Some(min)), Ok(Some(max))) if min > max => {
            Err(FieldErrors::at("minPrice", "must not be more than maxPrice"))
        }
        (Ok(min), Ok(max)) => Ok(Some(PriceRange {
            currency: shop,
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

    fn plan(terms: Terms) -> Result<Option<Search>, Vec<String>> {
        let planned = Search::plan(terms, Currency::USD);
        planned.map_err(|wrong| wrong.0.into_iter().map(|refusal| refusal.field).collect())
    }

    fn decimal(text: &str) -> Option<Decimal> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_rarest_list_is_read_and_the_rest_filters() {
        let category = testkit::new_id::<CategoryId>();
        let terms = Terms {
            category: Some(category),
            search: Some("Red desk lamps of red".into()),
            ..Terms::default()
        };
        let search = plan(terms).unwrap().unwrap();
        assert_eq!(search.facet, Facet::Word("desk".into()));
        assert_eq!(search.filters.words, ["lamp", "red"]);
        assert_eq!(search.filters.category, Some(category));

        let only = Terms {
            category: Some(category),
            ..Terms::default()
        };
        let search = plan(only).unwrap().unwrap();
        assert_eq!(search.facet, Facet::Category(category));
        assert_eq!(search.filters, Filters::default());
        assert_eq!(plan(Terms::default()).unwrap().unwrap().facet, Facet::All);
    }

    #[test]
    fn what_cannot_be_looked_for_finds_nothing_or_is_refused() {
        let search = |text: &str| Terms {
            search: Some(text.into()),
            ..Terms::default()
        };
        assert_eq!(plan(search("the !")), Ok(None));
        let many = "aa bb cc dd ee ff gg hh ii jj kk";
        assert_eq!(plan(search(many)), Err(vec!["search".into()]));
        let prices = |min, max| Terms {
            min_price: min,
            max_price: max,
            ..Terms::default()
        };
        let twice = plan(prices(decimal("1.001"), decimal("-1")));
        assert_eq!(twice, Err(vec!["minPrice".into(), "maxPrice".into()]));
        let crossed = plan(prices(decimal("2"), decimal("1.99")));
        assert_eq!(crossed, Err(vec!["minPrice".into()]));
        let range = plan(prices(decimal("2"), decimal("2.00")));
        let range = range.unwrap().unwrap().filters.price.unwrap();
        assert_eq!((range.min, range.max), (Some(200), Some(200)));
    }

    #[test]
    fn two_searches_never_have_one_name() {
        let named = |sort, search: Option<&str>| {
            let terms = Terms {
                sort,
                search: search.map(str::to_owned),
                ..Terms::default()
            };
            plan(terms).unwrap().unwrap().name()
        };
        let names = [
            named(Sort::Newest, None),
            named(Sort::PriceUp, None),
            named(Sort::PriceDown, None),
            named(Sort::Name, None),
            named(Sort::Name, Some("lamp")),
            named(Sort::Name, Some("lamp red")),
        ];
        let distinct: HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
