//! What sources must not contain.

use crate::support::{SERVICES, files, read, root};

#[test]
fn no_service_depends_on_another() {
    for service in SERVICES {
        let manifest = read(&root().join("functions").join(service).join("Cargo.toml"));
        for other in SERVICES.iter().filter(|other| **other != service) {
            let depends = depends_on(&manifest, other);
            assert!(!depends, "{service} depends on {other}");
        }
    }
    for shared in files(&root().join("shared"), "Cargo.toml") {
        for service in SERVICES {
            assert!(
                !depends_on(&read(&shared), service),
                "{}: {service}",
                shared.display()
            );
        }
    }
}

fn depends_on(manifest: &str, name: &str) -> bool {
    manifest
        .lines()
        .any(|line| line.split(['.', ' ', '=']).next() == Some(name))
}

#[test]
fn nothing_scans_a_table() {
    for folder in ["functions", "shared", "local", "operator"] {
        for file in files(&root().join(folder), ".rs") {
            let text = read(&file);
            let file_name = file.to_string_lossy();
            let allowed = [
                "shared/testkit/",
                "operator/src/check/pages.rs",
                "operator/tests/",
            ]
            .iter()
            .any(|place| file_name.contains(place));
            assert!(
                allowed || !text.contains(".scan()"),
                "{} scans",
                file.display()
            );
        }
    }
    let template = read(&root().join("template.yaml"));
    assert!(!template.contains("dynamodb:Scan"));
}

#[test]
fn the_domain_does_no_io() {
    for service in SERVICES {
        for file in files(
            &root().join("functions").join(service).join("src/domain"),
            ".rs",
        ) {
            let text = read(&file);
            for word in [
                "aws_sdk",
                "dynamo::",
                "async fn",
                "runtime::Environment",
                "fastrand",
                "getrandom",
            ] {
                assert!(!text.contains(word), "{} has {word}", file.display());
            }
        }
    }
}

#[test]
fn no_file_exceeds_400_lines() {
    const LINES_MAX: usize = 400;
    for folder in [
        "functions",
        "shared",
        "local",
        "tests",
        "tools",
        "cost",
        "model",
        "operator",
    ] {
        for ending in [".rs", ".py"] {
            for file in files(&root().join(folder), ending) {
                let lines = read(&file).lines().count();
                assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
            }
        }
    }
}
