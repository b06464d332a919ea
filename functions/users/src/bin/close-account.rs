//! The function `close-account`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::close_account::function())
}
