//! The function `process-payments`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(payments::events::process_payments::function())
}
