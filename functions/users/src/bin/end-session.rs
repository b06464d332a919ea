//! The function `end-session`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::end_session::function())
}
