//! What the catalog consists of, and its rules. Pure.

mod adjustment;
mod category;
mod order_event;
mod order_lines;
mod product;
mod reservation;
mod search;
mod settle;
mod shards;
mod text;
mod unverified_share;

pub use adjustment::{Adjustment, AdjustmentError, Levels, Operation};
pub use category::{CATEGORIES_MAX, CATEGORY_DEPTH_MAX, Category, CategoryTooDeep, NewCategory};
pub use order_event::{OrderEvent, OrderOutcome};
pub use order_lines::{InvalidLines, LINES_MAX, check_availability, validate_lines};
pub use product::{NewProduct, Product, STOCK_MAX, TAGS_MAX, Tag};
pub use reservation::{
    HOLD_LEFT_MIN, HOLD_PERIOD, Reservation, Status, StockEvent, TakenFrom, Transition,
};
pub use search::{Facet, Filters, PriceRange, Search, SearchTerms, Sort, WORDS_MAX, index_words};
pub use settle::settle;
pub use shards::{Opening, Place, SHARDS_MAX, Shard, ShardCount, gathering};
pub use text::fold;
pub use unverified_share::{ShareCondition, Shelf, ShelfKind, UnverifiedShare};
