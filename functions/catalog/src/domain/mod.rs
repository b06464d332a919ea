//! What the catalogue is made of, and the rules of it. Pure.

mod category;
mod product;
mod reservation;
mod search;
mod stock;
mod text;

pub use category::{CATEGORIES_MAX, CATEGORY_DEPTH_MAX, Category, CategoryTooDeep, NewCategory};
pub use product::{NewProduct, Product, STOCK_MAX, TAGS_MAX, Tag};
pub use reservation::{HOLD, Reservation, Said, Status, Step};
pub use search::{Facet, Filters, PriceRange, Search, Sort, Terms, WORDS_MAX, words_of};
pub use stock::{
    AdjustStockRefusal, BadReservation, Change, LINES_MAX, Operation, check_lines, snapshot,
};
pub use text::fold;
