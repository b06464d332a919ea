//! The function `list-products`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::list_products::function())
}
