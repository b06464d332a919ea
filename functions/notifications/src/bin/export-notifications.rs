//! The function `export-notifications`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(notifications::api::export_notifications::function())
}
