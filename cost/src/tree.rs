//! What the measurement reads from the repository.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use local::template::Template;
use runtime::{Environment, Trigger};

use crate::{
    Error, assumed,
    bill::{Spec, Specs},
    counts::Kind,
};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The memory size and trigger of every function.
pub fn specs(template: &Template) -> Specs {
    let mut specs = BTreeMap::new();
    // The local template reader skips these properties, so they are searched for.
    let text = std::fs::read_to_string(root().join("template.yaml")).unwrap_or_default();
    let active =
        |text: &str| text.contains("\n  Tracing:\n    Type: String\n    Default: Active\n");
    for function in local::registry::functions() {
        let Some(spec) = template.function(function.name) else {
            continue;
        };
        let kind = match function.trigger {
            Trigger::Http(_) => Kind::Http,
            Trigger::Queue => Kind::Queue,
            _ => Kind::Other,
        };
        let memory_mb = f64::from(spec.memory_mb);
        specs.insert(function.name.to_owned(), Spec { memory_mb, kind });
    }
    Specs {
        functions: specs,
        traced: active(&text) && text.contains("Tracing: !Ref Tracing"),
        per_second: assumed::RARE_A_SECOND,
        access_logged: text.contains("AccessLogSettings:"),
    }
}

/// Loads the template.
///
/// # Errors
/// If it is malformed.
pub fn template() -> Result<Template, Error> {
    Ok(Template::load(
        &root().join("template.yaml"),
        &Environment::default(),
    )?)
}
