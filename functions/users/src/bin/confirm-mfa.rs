//! The function `confirm-mfa`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::confirm_mfa::function())
}
