//! The function `compose-notifications`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(notifications::events::compose_notifications::function())
}
