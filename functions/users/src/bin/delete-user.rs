//! The function `delete-user`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::delete_user::function())
}
