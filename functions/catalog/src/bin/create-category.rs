//! The function `create-category`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::create_category::function())
}
