//! Writes the JSON Schema of every event type into `shared/contracts/schemas`:
//! `cargo run -p contracts --example schemas`.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for event in contracts::events::catalogue() {
        let text = serde_json::to_string_pretty(&event.schema)? + "\n";
        fs::write(folder.join(format!("{}.json", event.event_type)), text)?;
    }
    Ok(())
}
