//! The function `get-user`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::get_user::function())
}
