//! Access to the template, the functions and the files of the repository.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use local::template::Template;
use runtime::{Environment, Function};

/// The services; each is a crate.
pub(crate) const SERVICES: [&str; 6] = [
    "users",
    "catalog",
    "orders",
    "payments",
    "notifications",
    "edge",
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn template() -> Template {
    Template::load(&root().join("template.yaml"), &Environment::default()).expect("a template")
}

/// Every function with its service.
pub(crate) fn functions() -> Vec<(&'static str, Function)> {
    let of = |service: &'static str, functions: Vec<Function>| {
        functions
            .into_iter()
            .map(move |function| (service, function))
    };
    let all = [
        of("users", users::functions()).collect::<Vec<_>>(),
        of("catalog", catalog::functions()).collect(),
        of("orders", orders::functions()).collect(),
        of("payments", payments::functions()).collect(),
        of("notifications", notifications::functions()).collect(),
        of("edge", edge::functions()).collect(),
    ];
    all.into_iter().flatten().collect()
}

/// `PlaceOrder` for `place-order`.
pub(crate) fn camel(name: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('-').map(capital).collect()
}

/// `place-order` for `PlaceOrder`.
pub(crate) fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder whose names end so, sorted.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The names of these files without the extension.
pub(crate) fn stems(folder: &Path, ending: &str) -> Vec<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    files(folder, ending).into_iter().map(stem).collect()
}

/// Fails with only what the sets do not share.
#[track_caller]
pub(crate) fn assert_same(
    expected: &BTreeSet<String>,
    found: &BTreeSet<String>,
    of: &str,
    where_: &str,
) {
    let missing: Vec<_> = expected.difference(found).collect();
    let extra: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{of} that are missing {where_}: {missing:?}; {where_} without such: {extra:?}; \
         run make generate, or delete what is left of a function that is gone"
    );
}
