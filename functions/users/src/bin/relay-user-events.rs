//! The function `relay-user-events`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::events::relay_user_events::function())
}
