//! The function `get-product`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::get_product::function())
}
