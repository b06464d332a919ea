//! The function `reserve-stock`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::reserve_stock::function())
}
