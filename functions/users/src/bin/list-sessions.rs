//! The function `list-sessions`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::list_sessions::function())
}
