//! The function `deliver-email`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(notifications::events::deliver_email::function())
}
