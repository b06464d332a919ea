//! The function `list-notifications`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(notifications::api::list_notifications::function())
}
