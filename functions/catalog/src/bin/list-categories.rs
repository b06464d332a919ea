//! The function `list-categories`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::api::list_categories::function())
}
