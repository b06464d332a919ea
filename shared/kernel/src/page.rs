//! Pages of a list.

use crate::input::{FieldErrors, FromInput, Value};

/// Items in a page when the client asks for no number.
pub const PAGE_LIMIT_DEFAULT: u32 = 20;
/// Items in a page at most: what one BatchGetItem can fetch.
pub const PAGE_LIMIT_MAX: u32 = 100;

/// How many items a page may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The most that a page may have.
    pub const MOST: Self = Self(PAGE_LIMIT_MAX);

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_LIMIT_DEFAULT)
    }
}

impl FromInput for Limit {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        value
            .whole_number(1..=i64::from(PAGE_LIMIT_MAX))
            .map(|n| Self(u32::try_from(n).unwrap_or(1)))
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The requested page size.
    pub limit: Limit,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each item converted.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            limit: self.limit,
            next_cursor: self.next_cursor,
        }
    }
}
