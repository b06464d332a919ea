//! The function `export-orders`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::api::export_orders::function())
}
