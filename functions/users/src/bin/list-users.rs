//! The function `list-users`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::list_users::function())
}
