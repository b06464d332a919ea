//! The function `disable-mfa`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::disable_mfa::function())
}
