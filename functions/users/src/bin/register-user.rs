//! The function `register-user`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::register_user::function())
}
