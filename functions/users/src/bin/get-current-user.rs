//! The function `get-current-user`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::get_current_user::function())
}
