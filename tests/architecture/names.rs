//! A function has one name: handler, binary, template resource and sample event.

use std::collections::BTreeSet;

use crate::support::{SERVICES, assert_same, camel, files, functions, read, root, stems, template};

fn names_in_code() -> BTreeSet<String> {
    functions()
        .into_iter()
        .map(|(_, function)| function.name.to_owned())
        .collect()
}

#[test]
fn code_and_template_have_the_same_functions() {
    assert_eq!(
        names_in_code().len(),
        functions().len(),
        "two functions share a name"
    );
    let in_template: BTreeSet<String> = template()
        .functions
        .into_iter()
        .map(|function| function.code_name)
        .collect();
    assert_same(
        &names_in_code(),
        &in_template,
        "functions in the code",
        "in template.yaml",
    );
    for function in template().functions {
        let name = &function.code_name;
        assert_eq!(function.logical_id, format!("{}Function", camel(name)));
        assert_eq!(
            function.role.as_deref(),
            Some(format!("{}Role", camel(name)).as_str())
        );
        assert_eq!(function.function_name, format!("emporium-{name}"));
    }
}

#[test]
fn every_function_has_a_sample_event_and_every_sample_event_a_function() {
    let events: BTreeSet<String> = stems(&root().join("events"), ".json").into_iter().collect();
    assert_same(&names_in_code(), &events, "functions", "samples in events/");
}

#[test]
fn every_function_has_a_binary_of_three_lines() {
    for service in SERVICES {
        let folder = root().join("functions").join(service).join("src/bin");
        let binaries: BTreeSet<String> = stems(&folder, ".rs").into_iter().collect();
        let of_service: BTreeSet<String> = functions()
            .into_iter()
            .filter(|(of, _)| *of == service)
            .map(|(_, function)| function.name.to_owned())
            .collect();
        assert_same(
            &of_service,
            &binaries,
            "functions",
            &format!("binaries of {service}"),
        );
        for name in binaries {
            let text = read(&folder.join(format!("{name}.rs")));
            let code = text
                .lines()
                .filter(|line| !line.starts_with("//") && !line.is_empty());
            assert_eq!(code.count(), 3, "{name}: {text}");
            let module = format!("::{}::function()", name.replace('-', "_"));
            assert!(
                text.contains(&module),
                "{name} serves another function: {text}"
            );
        }
    }
}

#[test]
fn every_function_has_a_module_of_its_name() {
    for (service, function) in functions() {
        let source = root().join("functions").join(service).join("src");
        let file = format!("{}.rs", function.name.replace('-', "_"));
        let found = ["api", "events"]
            .iter()
            .any(|folder| source.join(folder).join(&file).exists());
        assert!(found, "{service}: no api/{file} or events/{file}");
    }
}

#[test]
fn every_module_with_a_function_is_listed_by_its_service() {
    let listed = names_in_code();
    for service in SERVICES {
        let source = root().join("functions").join(service).join("src");
        for folder in ["api", "events"] {
            if !source.join(folder).exists() {
                continue;
            }
            for file in files(&source.join(folder), ".rs") {
                let name = file
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .replace('_', "-");
                let makes = read(&file).contains("pub fn function() -> Function");
                assert!(
                    !makes || listed.contains(&name),
                    "{} has a function that is missing in functions() of functions/{service}/src/lib.rs",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_test_file_of_a_service_is_part_of_its_tests() {
    for service in SERVICES {
        let tests = root().join("functions").join(service).join("tests/it");
        let main = read(&tests.join("main.rs"));
        for name in stems(&tests, ".rs")
            .into_iter()
            .filter(|name| name != "main")
        {
            let declared = main.lines().any(|line| line == format!("mod {name};"));
            assert!(
                declared,
                "functions/{service}/tests/it/main.rs lacks: mod {name};"
            );
        }
    }
}
