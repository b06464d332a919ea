//! The function `reject-unknown-route`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(edge::api::reject_unknown_route::function())
}
