//! The function `update-profile`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::update_profile::function())
}
