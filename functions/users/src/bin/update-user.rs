//! The function `update-user`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::update_user::function())
}
