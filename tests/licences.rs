//! Every dependency that is built comes under a licence that lets us pass it on.

use std::process::Command;

/// Licences that are permissive, or copyleft for their own files alone. A package may offer one of these among others.
const ACCEPTED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn each_dependency_has_an_accepted_licence() {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 50, "{} packages listed", packages.len());

    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_accepted))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences to look at:\n{}", refused.join("\n"));
}

/// Reads an SPDX expression of `AND` over `OR`, as crates write them, parentheses around the alternatives.
fn is_accepted(expression: &str) -> bool {
    expression.split(" AND ").all(|part| {
        part.trim_matches(['(', ')', ' '])
            .split(" OR ")
            .flat_map(|one| one.split('/'))
            .any(|one| ACCEPTED.contains(&one.trim_matches(['(', ')', ' '])))
    })
}

#[test]
fn a_licence_expression_is_read_as_written() {
    assert!(is_accepted("MIT OR GPL-3.0"));
    assert!(is_accepted("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!is_accepted("MIT AND GPL-3.0"));
    assert!(!is_accepted("AGPL-3.0"));
}
