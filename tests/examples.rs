//! The example rules and configuration are read as they stand.

use std::path::Path;

use vipstream::config::Config;
use vipstream::rules::ruleset::Ruleset;

fn rules(name: &str) -> Ruleset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    Ruleset::parse(name, &text).unwrap_or_else(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", list.join("\n"))
    })
}

#[test]
fn every_example_ruleset_is_accepted() {
    assert_eq!(rules("cdnow.yaml").name(), "cdnow");
    assert_eq!(rules("shop.yaml").name(), "shop");
}

#[test]
fn the_example_configuration_is_accepted_and_names_an_example_ruleset() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/vipstream.yaml");
    let config = Config::load(&path, []).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.rules.is_file(), "{}", config.rules.display());
    assert_eq!(config.inputs.len(), 6);
}
