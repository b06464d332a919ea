//! What `make generate` writes, because the functions already declare it: the
//! permissions, routes and alarms of `template.yaml`, and for a new function its
//! resource, binary, sample event and row of the access table.
//!
//! The generator (`tests/examples/generate.rs`) writes these files; the test in
//! `tests/architecture/current.rs` compares them with those in the tree.

mod alarms;
pub(crate) mod files;
mod functions;
mod resources;
mod roles;
mod routes;

use std::{fs, path::PathBuf};

use local::template::Template;
use runtime::{Environment, Function};

use crate::support::{functions as declared, root};

use resources::Resources;

/// A function with the service that it belongs to.
type Declared = (&'static str, Function);

/// A file as it should be.
pub(crate) struct Output {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Output {
    /// Whether the file in the tree is missing or differs.
    pub(crate) fn is_stale(&self) -> bool {
        fs::read_to_string(root().join(&self.path)).ok().as_ref() != Some(&self.text)
    }
}

/// Every file that is generated, in whole or in part.
pub(crate) fn outputs() -> Vec<Output> {
    outputs_of(&declared())
}

/// The same with these functions.
pub(crate) fn outputs_of(declared: &[Declared]) -> Vec<Output> {
    let written = fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
    let text = template(&written, declared);
    let read = Template::parse(&text, &Environment::default()).expect("the generated template");
    let mut outputs = files::missing(declared, &read);
    outputs.push(Output {
        path: "template.yaml".into(),
        text,
    });
    outputs
}

/// The template with its generated parts made anew.
pub(crate) fn template(written: &str, declared: &[Declared]) -> String {
    let text = functions::with_missing(written, declared);
    let resources = Resources::of(&text);
    let text = replace(&text, "routes", &routes::routes(&resources, declared));
    // What triggers a function is read from a template that has all roles, if
    // not yet everything in them.
    let draft = replace(
        &text,
        "permissions",
        &roles::roles(&resources, declared, None),
    );
    let read = Template::parse(&draft, &Environment::default())
        .unwrap_or_else(|error| panic!("with the generated parts: {error}"));
    let text = replace(
        &text,
        "permissions",
        &roles::roles(&resources, declared, Some(&read)),
    );
    replace(&text, "alarms", &alarms::alarms(declared, &read))
}

/// Replaces what stands between the marks of a generated part.
fn replace(text: &str, part: &str, with: &str) -> String {
    let split = |text: &str, mark: String| {
        let (before, after) = text
            .split_once(&mark)
            .unwrap_or_else(|| panic!("template.yaml has no line {mark}"));
        (before.to_owned(), mark, after.to_owned())
    };
    let (before, mark, rest) = split(
        text,
        format!("# --- generated: {part} (make generate) ---\n"),
    );
    let (old, end, after) = split(&rest, format!("# --- end of generated {part} ---\n"));
    let indent = &old[old.trim_end_matches(' ').len()..];
    format!("{before}{mark}{with}{indent}{end}{after}")
}

/// `a` and `b` as `[a, b]`.
fn list(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| item.as_ref().to_owned())
        .collect();
    format!("[{}]", items.join(", "))
}
