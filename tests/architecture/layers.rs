//! The layers: what a domain and what the shared storage code may know.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::support::{SERVICES, files, read, root};

/// The lines of a file that are neither comments nor inside its test module.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn no_domain_imports_the_runtime() {
    for service in SERVICES {
        let domain = root().join("functions").join(service).join("src/domain");
        for file in files(&domain, ".rs") {
            for line in code(&read(&file)) {
                let imports = line.contains("runtime::") || line.contains("use runtime");
                assert!(!imports, "{}: {}", file.display(), line.trim());
            }
        }
    }
}

#[test]
fn the_storage_code_knows_nothing_of_http() {
    for file in files(&root().join("shared/dynamo/src"), ".rs") {
        for line in code(&read(&file)) {
            for word in ["http", "ApiError", "StatusCode"] {
                assert!(!line.contains(word), "{}: {}", file.display(), line.trim());
            }
        }
    }
}

/// Modules that import each other cannot be understood, or moved, one without the
/// other. A module and those inside it are no such pair.
#[test]
fn no_two_modules_of_a_crate_import_each_other() {
    let folders = ["functions", "shared"].map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let crates = folders.into_iter().flatten();
    let crates = crates.chain(["local", "cost"].map(|name| root().join(name)));
    let mut circles = BTreeSet::new();
    for folder in crates.filter(|folder| folder.join("src").is_dir()) {
        let imports = imports(&folder.join("src"));
        for (module, others) in &imports {
            for other in others.iter().filter(|other| *other > module) {
                if imports.get(other).is_some_and(|of| of.contains(module)) {
                    let (one, two) = (module.join("::"), other.join("::"));
                    circles.insert(format!("{}: {one} and {two}", folder.display()));
                }
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

type Module = Vec<String>;

/// For each module of a crate the others that it imports.
fn imports(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut texts = BTreeMap::new();
    for file in files(source, ".rs") {
        let below = file.strip_prefix(source).unwrap().with_extension("");
        let parts = below.iter().map(|part| part.to_string_lossy().into_owned());
        let mut module: Module = parts.collect();
        // The root of the crate, its binaries and its tests may name everything.
        if ["lib", "main", "bin"].contains(&module[0].as_str()) || module.contains(&"tests".into())
        {
            continue;
        }
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        texts.insert(module, code(&read(&file)).collect::<Vec<_>>().join("\n"));
    }
    let of = |module: &Module, text: &String| -> BTreeSet<Module> {
        let named = paths(text, module);
        let modules = named.iter().filter_map(|path| {
            let ends = (1..=path.len()).rev();
            ends.map(|end| path[..end].to_vec())
                .find(|prefix| texts.contains_key(prefix))
        });
        let is_apart = |other: &Module| !other.starts_with(module) && !module.starts_with(other);
        modules.filter(is_apart).collect()
    };
    let found = texts
        .iter()
        .map(|(module, text)| (module.clone(), of(module, text)));
    found.collect()
}

/// Every path in a module's text that begins with `crate` or `super`, from the root.
fn paths(text: &str, module: &Module) -> Vec<Module> {
    let mut found = Vec::new();
    let starts = ["crate::", "super::"].map(|start| text.match_indices(start));
    for (at, start) in starts.into_iter().flatten() {
        // `super::super::x` is found by its first `super`.
        if text[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &text[at..];
        let mut from: Module = if start == "crate::" {
            Vec::new()
        } else {
            module.clone()
        };
        while let Some(after) = rest.strip_prefix("super::") {
            from.pop();
            rest = after;
        }
        let rest = rest.strip_prefix("crate::").unwrap_or(rest);
        found.extend(
            tree(rest)
                .into_iter()
                .map(|path| [from.clone(), path].concat()),
        );
    }
    found
}

/// The paths of a use tree: `a::{B, c::D}` is `a::B` and `a::c::D`.
fn tree(text: &str) -> Vec<Module> {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        return items(list).into_iter().flat_map(tree).collect();
    }
    let name: String = text
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect();
    match text[name.len()..].strip_prefix("::") {
        Some(rest) => tree(rest)
            .into_iter()
            .map(|path| [vec![name.clone()], path].concat())
            .collect(),
        None => vec![vec![name]],
    }
}

/// The items of a list up to its closing brace.
fn items(list: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn paths_are_found_from_the_root_of_the_crate() {
    let module = ["api".to_owned(), "list".to_owned()].to_vec();
    let text =
        "use crate::{\n a::{B, C},\n d,\n};\nuse super::page::Page; super::super::store::x()";
    let found: BTreeSet<String> = paths(text, &module)
        .iter()
        .map(|path| path.join("::"))
        .collect();
    let expected = ["a::B", "a::C", "d", "api::page::Page", "store::x"];
    assert_eq!(found, expected.map(str::to_owned).into());
}
