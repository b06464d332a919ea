//! The function `get-user-history`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::get_user_history::function())
}
