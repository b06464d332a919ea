//! The function `export-account`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::export_account::function())
}
