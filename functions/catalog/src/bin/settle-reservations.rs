//! The function `settle-reservations`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::events::settle_reservations::function())
}
