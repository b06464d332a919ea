//! The function `adjust-stock`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::adjust_stock::function())
}
