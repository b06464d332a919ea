//! The function `authorize`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::api::authorize::function())
}
