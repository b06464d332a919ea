//! The function `change-address`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::change_address::function())
}
