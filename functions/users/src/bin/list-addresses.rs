//! The function `list-addresses`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::list_addresses::function())
}
