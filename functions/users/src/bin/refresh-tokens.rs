//! The function `refresh-tokens`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::refresh_tokens::function())
}
