//! The function `enroll-mfa`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::enroll_mfa::function())
}
