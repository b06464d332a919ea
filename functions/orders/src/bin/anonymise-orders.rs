//! The function `anonymise-orders`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::events::anonymise_orders::function())
}
