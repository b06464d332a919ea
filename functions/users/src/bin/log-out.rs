//! The function `log-out`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::log_out::function())
}
