//! The function `add-address`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::add_address::function())
}
