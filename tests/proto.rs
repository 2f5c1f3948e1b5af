//! The Protobuf contract: the committed types are those of the definitions.

use std::fs;
use std::path::Path;

const DEFINITIONS: [&str; 2] = ["vipstream/v1/inputs.proto", "vipstream/v1/outputs.proto"];
const GENERATED: &str = "src/proto/v1.rs";

/// Types from the definitions, by a compiler in Rust rather than `protoc`.
fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let definitions = protox::compile(DEFINITIONS, [root.join("proto")]).expect("the definitions compile");
    let out = tempfile::tempdir().expect("a folder for the generated file");
    prost_build::Config::new()
        .btree_map(["."])
        .out_dir(out.path())
        .compile_fds(definitions)
        .expect("types can be generated");
    fs::read_to_string(out.path().join("vipstream.v1.rs")).expect("the package's file was generated")
}

#[test]
fn the_committed_types_are_those_of_the_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GENERATED);
    let generated = generate();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated).expect("the generated file can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{GENERATED} is not what proto/ defines; run `UPDATE=1 cargo test --test proto` and commit the file"
    );
}
