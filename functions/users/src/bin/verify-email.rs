//! The function `verify-email`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::verify_email::function())
}
