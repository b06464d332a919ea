//! The function `advance-orders`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::events::advance_orders::function())
}
