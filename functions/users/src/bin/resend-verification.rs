//! The function `resend-verification`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::resend_verification::function())
}
