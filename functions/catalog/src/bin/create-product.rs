//! The function `create-product`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::create_product::function())
}
