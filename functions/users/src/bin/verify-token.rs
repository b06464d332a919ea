//! The function `verify-token`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::verify_token::function())
}
