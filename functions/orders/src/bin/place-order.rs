//! The function `place-order`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::api::place_order::function())
}
