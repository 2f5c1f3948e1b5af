//! `vipstream calibrate` as whoever owns the rules sees it: from history to priors that the rules name.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vipstream::model::event::Kind;
use vipstream::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: shop
currency: EUR
pivots: { alert: 5 per 100 customer-years, kinds: [silence]PRIORS }
labels: { silent: pivot.silence }
";

const DRAWN: &str = "
ruleset: music
currency: USD
pivots: { watch: 20 per 100 customer-years, alert: 5 per 100 customer-years }
";

/// 1 January 2023, in seconds.
const START: i64 = 1_672_531_200;
const DAY: i64 = 86_400;

/// Two years of customers who buy every week or so; of each three one stays away from some day on, and of these every
/// second comes back.
fn history() -> String {
    let (mut lines, mut dice, mut number) = (Vec::new(), 7_u64, 0);
    let mut roll = |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((dice >> 33) % below).unwrap()
    };
    for customer in 0..240 {
        let (mut at, away, back) = (START + roll(20 * DAY.unsigned_abs()), START + 500 * DAY, START + 640 * DAY);
        while at < START + 730 * DAY {
            let is_away = customer % 3 == 0 && at >= away && (at < back || customer % 2 == 0);
            if !is_away {
                number += 1;
                let amount = 10 + roll(40);
                lines.push((at, format!(
                    r#"{{"event_id":"e{number}","customer_id":"c{customer}","occurred_at":{},"order_id":"o{number}","amount":"{amount}","currency":"EUR","status":"completed"}}"#,
                    at * 1_000
                )));
            }
            at += 4 * DAY + roll(6 * DAY.unsigned_abs());
        }
    }
    lines.sort();
    lines.into_iter().fold(String::new(), |mut all, (_, line)| {
        writeln!(all, "{line}").unwrap();
        all
    })
}

struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

fn vipstream(folder: &Path, arguments: &[&str]) -> Said {
    let done = Command::new(env!("CARGO_BIN_EXE_vipstream")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: done.status.code(), out: text(done.stdout), error: text(done.stderr) }
}

#[test]
fn priors_of_history_are_named_by_rules_and_by_what_they_find() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("rules.yaml", &RULES.replace("PRIORS", ""));
    write("purchases.jsonl", &history());
    let input = ["--rules", "rules.yaml", "--input", "purchase=purchases.jsonl", "--until", "2025-01-01T00:00:00Z"];
    let calibrate = |more: &[&str]| {
        let output = ["--version", "shop-2025", "--output", "priors.json"];
        vipstream(folder.path(), &[&["calibrate"], &input[..], &output, more].concat())
    };
    let said = calibrate(&["--json"]);
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{}", said.out);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let silences = &found["history"]["kinds"]["silence"];
    let (alarms, ended) = (silences["alarms"].as_u64().unwrap(), silences["ended"].as_u64().unwrap());
    assert!((70..=110).contains(&alarms), "80 stay away: {found}");
    assert!((35..=70).contains(&ended), "40 come back: {found}");
    assert_eq!(found["shuffled"]["kinds"]["silence"], Value::Null, "whoever left is as silent in any order");
    let priors: Value = serde_json::from_slice(&std::fs::read(folder.path().join("priors.json")).unwrap()).unwrap();
    assert_eq!(priors["version"], "shop-2025");
    let rate = priors["cadence"]["rate"].as_f64().unwrap();
    assert!((40.0..60.0).contains(&rate), "a gap of a week: {rate}");

    let again = calibrate(&[]);
    assert!(again.out.contains("silence ") && again.out.contains("priors: priors.json"), "{}", again.out);

    write("rules.yaml", &RULES.replace("PRIORS", ", priors: priors.json"));
    let said = vipstream(folder.path(), &[&["replay"], &input[..], &["--output", "out"]].concat());
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{}", said.out);
    let pivots = std::fs::read_to_string(folder.path().join("out/vip.pivots.jsonl")).unwrap();
    let begun = pivots.lines().filter(|line| line.contains(r#""kind":"silence""#)).count() as u64;
    assert_eq!(begun, alarms, "the service finds what was reported");
    assert!(pivots.lines().all(|line| line.contains(r#""priors":"shop-2025""#)), "{pivots}");
}

#[test]
fn what_a_history_cannot_tell_stays_as_it_was_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let mut before: Value =
        serde_json::from_str(include_str!("golden/pivot/priors-sim.json")).expect("priors of simulated customers");
    before["version"] = "shop-2024".into();
    before["csat"]["mu0"] = 3.5.into();
    before["csat"]["c"] = 0.25.into();
    before["shops"] = vec!["desk", "phone", "other"].into();
    write("before.json", &before.to_string());
    let budgets = "watch: 20 per 100 customer-years, alert: 5 per 100 customer-years";
    let rules = RULES.replace("alert: 5 per 100 customer-years", budgets).replace("PRIORS", ", priors: before.json");
    write("rules.yaml", &rules);
    write("purchases.jsonl", &history());
    let arguments = ["calibrate", "--rules", "rules.yaml", "--input", "purchase=purchases.jsonl"];
    let output = ["--version", "shop-2025", "--output", "priors.json"];
    let calibrate = |more: &[&str]| vipstream(folder.path(), &[&arguments[..], &output, more].concat());
    let said = calibrate(&[]);
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{}", said.out);
    let kept =
        "Too little history of csat, sentiment, engagement, refund, channel: their priors stay those of shop-2024.";
    assert!(said.out.contains(kept), "{}", said.out);
    assert!(said.out.contains("watches"), "{}", said.out);
    let after: Value = serde_json::from_slice(&std::fs::read(folder.path().join("priors.json")).unwrap()).unwrap();
    assert_eq!((&after["csat"]["mu0"], &after["csat"]["c"]), (&3.5.into(), &0.25.into()));
    assert_eq!(after["shops"], before["shops"]);
    assert_ne!(after["cadence"]["mu0"], before["cadence"]["mu0"]);

    let said: Value = serde_json::from_str(&calibrate(&["--json"]).out).unwrap();
    let constants = said["constants"].as_array().unwrap();
    let of = |channel: &str| constants.iter().find(|constant| constant["channel"] == channel).unwrap();
    for channel in ["cadence", "spend"] {
        assert_eq!(of(channel)["c"], after[channel]["c"], "{said}");
    }
}

#[test]
fn customers_are_drawn_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timelines");
    std::fs::write(folder.path().join("rules.yaml"), DRAWN).unwrap();
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real/purchases.jsonl");
    let input = format!("purchase={}", input.display());
    let arguments = ["calibrate", "--rules", "rules.yaml", "--input", &input, "--version", "v", "--output", "p.json"];
    let said = vipstream(folder.path(), &[&arguments[..], &["--timelines", "drawn"]].concat());
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.ends_with("drawn/index.html shows customers.\n"), "{}", said.out);
    let files = (1..=10).map(|at| format!("{at:02}.svg")).chain(["index.html".to_owned()]);
    let mut drawn = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(folder.path().join("drawn").join(&file)).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(golden.join(&file), &text).unwrap();
        }
        let wanted = std::fs::read_to_string(golden.join(&file)).unwrap_or_default();
        assert!(text == wanted, "{file} is drawn otherwise; `UPDATE=1 cargo test --test calibrate` keeps it so");
        drawn.push(text);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("drawn")).unwrap().count(), 11);
    for kind in ["silence", "spend_dropped", "spend_rose"] {
        assert!(drawn[10].contains(kind), "some of each kind are shown");
    }
}

#[test]
fn priors_behind_rules_that_name_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rules = RULES.replace("PRIORS", "");
    std::fs::write(folder.path().join("rules.yaml"), format!("{}\n--- # priors\n{{}}\n", rules.trim_end())).unwrap();
    let said = vipstream(folder.path(), &["check", "--rules", "rules.yaml"]);
    assert_eq!(said.code, Some(2));
    let place = "rules.yaml:6 pivots.priors: missing, yet priors follow here";
    assert!(said.error.contains(place) && said.error.contains("`pivots: { priors: priors.json }`"), "{}", said.error);
}

#[test]
fn priors_that_cannot_be_used_are_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let check = || vipstream(folder.path(), &["check", "--rules", "rules.yaml"]);
    write("rules.yaml", &RULES.replace("PRIORS", ", priors: priors.json"));
    let said = check();
    assert_eq!(said.code, Some(2));
    assert!(
        said.error.contains("rules.yaml:4 pivots.priors: the priors `priors.json` are not there"),
        "{}",
        said.error
    );
    assert!(said.error.contains("`vipstream calibrate` writes it"), "{}", said.error);
    write("priors.json", "{}");
    let said = check();
    assert_eq!(said.code, Some(2));
    assert!(said.error.contains("pivots.priors: `priors.json`: "), "{}", said.error);
    assert!(said.error.contains("`vipstream calibrate` writes it"), "{}", said.error);
    assert!(said.error.starts_with("vipstream: 1 problem\n"), "what follows from it is none: {}", said.error);
}

#[test]
fn rules_without_pivots_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), "ruleset: shop\ncurrency: EUR\n").unwrap();
    std::fs::write(folder.path().join("purchases.jsonl"), "").unwrap();
    let arguments = [
        "calibrate",
        "--rules",
        "rules.yaml",
        "--input",
        "purchase=purchases.jsonl",
        "--version",
        "v",
        "--output",
        "p",
    ];
    let said = vipstream(folder.path(), &arguments);
    assert_eq!(said.code, Some(2));
    assert!(said.error.contains("asks for no pivots; add `pivots: {"), "{}", said.error);
}

#[test]
fn kinds_of_pivots_ask_for_what_their_detectors_read() {
    let asked = |kinds: &str| {
        let rules = format!("ruleset: shop\ncurrency: EUR\npivots: {{ alert: 1 per 100 customer-years{kinds} }}\n");
        let rules = Ruleset::parse("rules.yaml", &rules).unwrap();
        rules.asks_for().map(Kind::name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(asked(", kinds: [satisfaction_dropped, sentiment_rose]"), "csat mention");
    assert_eq!(asked(", kinds: [engagement_dropped]"), "engagement");
    assert_eq!(asked(", kinds: [refunds_rose, silence]"), "purchase");
    assert_eq!(asked(""), "purchase csat mention engagement");
}
