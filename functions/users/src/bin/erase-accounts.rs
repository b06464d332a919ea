//! The function `erase-accounts`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(users::events::erase_accounts::function())
}
