//! The function `get-payment`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(payments::api::get_payment::function())
}
