//! The function `serve-jwks`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::serve_jwks::function())
}
