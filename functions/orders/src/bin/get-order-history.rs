//! The function `get-order-history`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::api::get_order_history::function())
}
