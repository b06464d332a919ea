//! The function `remove-address`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::remove_address::function())
}
