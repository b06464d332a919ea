//! The function `change-password`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::change_password::function())
}
