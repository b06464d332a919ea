//! The function `reset-password`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::reset_password::function())
}
