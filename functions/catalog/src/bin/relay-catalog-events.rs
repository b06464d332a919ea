//! The function `relay-catalog-events`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::events::relay_catalog_events::function())
}
