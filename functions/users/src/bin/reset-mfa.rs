//! The function `reset-mfa`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::reset_mfa::function())
}
