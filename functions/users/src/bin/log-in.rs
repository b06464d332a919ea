//! The function `log-in`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::log_in::function())
}
