//! The function `request-password-reset`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::request_password_reset::function())
}
