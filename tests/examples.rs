//! The example rules and configuration are read as they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

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
    assert_eq!(rules("advocates.yaml").name(), "advocates");
    assert_eq!(rules("value.yaml").name(), "value");
    assert_eq!(rules("grievance.yaml").name(), "grievance");
}

#[test]
fn the_example_configuration_is_accepted_and_names_an_example_ruleset() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/vipstream.yaml");
    let config = Config::load(&path, []).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.rules.is_file(), "{}", config.rules.display());
    assert_eq!(config.inputs.len(), 10);
}

/// Runs the built binary and hands back what it printed.
fn vipstream(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vipstream")).args(args).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_shop_grants_a_few_per_cent_of_its_customers_takes_back_and_alerts() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    vipstream(&["load", "--output", &place("traffic")]);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/shop.yaml").display().to_string();
    let mut args = vec!["replay".to_owned(), "--rules".to_owned(), rules, "--output".to_owned(), place("decisions")];
    for kind in ["customer", "purchase", "csat", "mention", "referral", "presence"] {
        args.extend(["--input".to_owned(), format!("{kind}={}/{kind}.jsonl", place("traffic"))]);
    }
    vipstream(&args.iter().map(String::as_str).collect::<Vec<_>>());

    let (mut granted, mut counts) = (BTreeSet::new(), BTreeMap::new());
    for file in ["vip.events.jsonl", "vip.alerts.jsonl"] {
        for line in std::fs::read_to_string(folder.path().join("decisions").join(file)).unwrap().lines() {
            let output: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| output[field].as_str().unwrap_or_default().to_owned();
            if text("type") == "vip.granted" {
                granted.insert(text("customer_id"));
            }
            let name = [text("programme"), text("label"), text("name")].concat();
            *counts.entry(format!("{} {name}", text("type"))).or_insert(0_u32) += 1;
        }
    }
    assert!((100..500).contains(&granted.len()), "{} of 5000 customers", granted.len());
    for (what, least) in [
        ("vip.granted big_spender", 50),
        ("vip.granted grievance", 10),
        ("vip.granted advocate", 20),
        ("vip.granted subscriber", 100),
        ("vip.revoked grievance", 5),
        ("vip.revoked subscriber", 50),
        ("vip.changed big_spender", 10),
        ("cohort.entered loyal", 100),
        ("cohort.left silent", 100),
        ("agent.alert vip_online", 300),
        ("agent.alert unhappy_customer_online", 100),
        ("agent.alert public_complaint", 300),
    ] {
        assert!(counts.get(what).is_some_and(|count| *count >= least), "{what}: {counts:#?}");
    }
}
