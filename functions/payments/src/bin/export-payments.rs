//! The function `export-payments`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(payments::api::export_payments::function())
}
