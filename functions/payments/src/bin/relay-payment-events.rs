//! The function `relay-payment-events`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(payments::events::relay_payment_events::function())
}
