//! The function `get-order`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::api::get_order::function())
}
