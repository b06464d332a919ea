//! The function `list-orders`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::api::list_orders::function())
}
