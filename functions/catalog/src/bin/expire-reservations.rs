//! The function `expire-reservations`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(catalog::events::expire_reservations::function())
}
