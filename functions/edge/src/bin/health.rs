//! The function `health`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(edge::api::health::function())
}
