//! The example rules and configuration are read as they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use vipstream::config::Config;
use vipstream::model::event::Kind;
use vipstream::model::id::CustomerId;
use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;
use vipstream::replay::replay_memory;
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
    assert_eq!(rules("accounts.yaml").name(), "accounts");
    assert_eq!(rules("partners.yaml").name(), "partners");
    assert_eq!(rules("advocates.yaml").name(), "advocates");
    assert_eq!(rules("value.yaml").name(), "value");
    assert_eq!(rules("grievance.yaml").name(), "grievance");
    assert_eq!(rules("budgets.yaml").name(), "budgets");
    assert_eq!(rules("pivots.yaml").name(), "pivots");
}

#[test]
fn the_example_configuration_is_accepted_and_names_an_example_ruleset() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/vipstream.yaml");
    let config = Config::load(&path, []).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.rules.is_file(), "{}", config.rules.display());
    assert_eq!(config.inputs.len(), Kind::ALL.len());
}

#[test]
fn rules_that_ask_for_what_is_not_read_are_noted() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
    let checked = vipstream(&["check", "--config", &examples.join("vipstream.yaml").display().to_string()]);
    assert!(!checked.contains("note:"), "{checked}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(examples.join("shop.yaml"), folder.path().join("shop.yaml")).unwrap();
    let config = std::fs::read_to_string(examples.join("vipstream.yaml")).unwrap();
    let without: Vec<&str> = config.lines().filter(|line| !line.contains("vip.cases")).collect();
    let path = folder.path().join("vipstream.yaml");
    std::fs::write(&path, without.join("\n")).unwrap();
    let checked = vipstream(&["check", "--config", &path.display().to_string()]);
    assert!(checked.contains("note: the rules ask for case, which `inputs` does not list"), "{checked}");
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

/// What the topics hold once an example has heard a story.
fn said(example: &str, story: &[(&str, serde_json::Value)]) -> BTreeMap<&'static str, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(example);
    let mut inputs: BTreeMap<Kind, Vec<Vec<u8>>> = BTreeMap::new();
    let mut story = story.to_vec();
    story.sort_by_key(|(_, event)| event["occurred_at"].to_string());
    for (number, (kind, event)) in story.iter().enumerate() {
        let mut event = event.clone();
        event["event_id"] = format!("e{number}").into();
        let kind = Kind::from_name(kind).unwrap();
        inputs.entry(kind).or_default().push(event.to_string().into_bytes());
    }
    let inputs: Vec<_> = inputs.into_iter().collect();
    let until = EventTime("2027-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    replay_memory(&std::fs::read_to_string(path).unwrap(), &inputs, Some(until))
}

/// What an example decides about a story: when, who, what, and why.
fn decides(example: &str, story: &[(&str, serde_json::Value)]) -> String {
    let lines = said(example, story);
    let mut text = String::new();
    for line in ["vip.events", "vip.alerts"].iter().filter_map(|topic| lines.get(topic)).flatten() {
        let output: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let who = if output["customer_id"].is_null() { &output["account_id"] } else { &output["customer_id"] };
        let names = ["programme", "label", "name"].map(|name| &output[name]);
        let name = names.into_iter().find(|name| !name.is_null()).unwrap_or(&output["name"]);
        let rows = output["evidence"].as_array().unwrap().iter();
        let why: Vec<_> = rows.map(|row| format!("{} {}", word(&row["feature"]), word(&row["value"]))).collect();
        let day = &word(&output["occurred_at"])[..10];
        let (who, what, name) = (word(who), word(&output["type"]), word(name));
        text.push_str(&format!("{day} {who} {what} {name}: {}\n", why.join(", ")));
    }
    text
}

#[test]
fn accounts_are_granted_with_their_contacts_and_revoked_with_them() {
    let at = |day: &str| format!("2026-{day}T09:00:00Z");
    let story = [
        (
            "account",
            json!({ "account_id": "k1", "occurred_at": at("01-01"), "version": 1, "tier": "A", "icp_fit": 0.9 }),
        ),
        ("customer", json!({ "customer_id": "ann", "occurred_at": at("01-02"), "version": 1, "account_id": "k1" })),
        (
            "customer",
            json!({ "customer_id": "bob", "occurred_at": at("01-02"), "version": 1, "account_id": "k1",
            "role": "reference", "support_level": "premium" }),
        ),
        (
            "purchase",
            json!({ "customer_id": "ann", "occurred_at": at("01-03"), "order_id": "o1", "amount": 30_000,
            "currency": "EUR", "status": "completed" }),
        ),
        (
            "purchase",
            json!({ "customer_id": "bob", "occurred_at": at("01-04"), "order_id": "o2", "amount": 30_000,
            "currency": "EUR", "status": "completed" }),
        ),
        (
            "presence",
            json!({ "customer_id": "ann", "occurred_at": at("01-05"), "session_id": "s1", "state": "online" }),
        ),
        ("customer", json!({ "customer_id": "bob", "occurred_at": at("02-01"), "version": 2, "account_id": "k1" })),
        (
            "account",
            json!({ "account_id": "k1", "occurred_at": at("03-01"), "version": 2, "tier": "C", "icp_fit": 0.9 }),
        ),
    ];
    insta::assert_snapshot!(decides("accounts.yaml", &story), @r"
    2026-01-01 k1 vip.granted target_account: account.tier A, account.icp_fit 0.9
    2026-01-02 bob vip.granted premium_support: support_level premium, support_level premium
    2026-01-02 bob vip.granted reference: role reference, role reference
    2026-01-02 ann vip.granted target_account: account.held.target_account true
    2026-01-02 bob vip.granted target_account: account.held.target_account true
    2026-01-04 k1 vip.granted key_account: spend_365d 60000
    2026-01-04 ann vip.granted key_account: account.held.key_account true
    2026-01-04 bob vip.granted key_account: account.held.key_account true
    2026-02-01 bob vip.revoked premium_support: support_level null, support_level null
    2026-02-01 bob vip.revoked reference: role null, role null
    2026-03-01 k1 vip.revoked target_account: account.tier C, account.icp_fit 0.9
    2026-03-01 ann vip.revoked target_account: account.held.target_account false
    2026-03-01 bob vip.revoked target_account: account.held.target_account false
    2027-01-02 k1 vip.revoked key_account: spend_365d 30000
    2027-01-02 ann vip.revoked key_account: account.held.key_account false
    2027-01-02 bob vip.revoked key_account: account.held.key_account false
    2026-01-05 ann agent.alert target_account_online: held.target_account true
    ");
}

#[test]
fn partners_and_prospects_are_granted_and_revoked() {
    let at = |day: &str| format!("2026-{day}T09:00:00Z");
    let role = |id: &str, day: &str, version: u32, role: &str| {
        ("customer", json!({ "customer_id": id, "occurred_at": at(day), "version": version, "role": role, "name": id }))
    };
    let referral = |friend: &str, day: &str| {
        (
            "referral",
            json!({ "customer_id": "pam", "occurred_at": at(day), "referred_customer_id": friend,
            "status": "converted" }),
        )
    };
    let mut story = vec![
        role("pam", "01-01", 1, "partner"),
        role("rex", "01-01", 1, "reseller"),
        role("ivy", "01-01", 1, "influencer"),
        referral("f1", "01-02"),
        referral("f2", "01-03"),
        referral("f3", "01-04"),
        (
            "mention",
            json!({ "customer_id": "ivy", "occurred_at": at("01-05"), "platform": "x", "handle": "@ivy",
            "public": true, "post_id": "p1", "sentiment": 0.8, "reach": 250_000 }),
        ),
        (
            "presence",
            json!({ "customer_id": "rex", "occurred_at": at("01-06"), "session_id": "s1", "state": "online" }),
        ),
        role("rex", "02-01", 2, "test"),
    ];
    story.extend((0..5).map(|number| {
        (
            "engagement",
            json!({ "customer_id": "tom", "occurred_at": at("01-07"), "engagement_id": format!("g{number}"),
            "action": "click" }),
        )
    }));
    story.push((
        "purchase",
        json!({ "customer_id": "tom", "occurred_at": at("01-08"), "order_id": "o1", "amount": 10,
        "currency": "EUR", "status": "completed" }),
    ));
    insta::assert_snapshot!(decides("partners.yaml", &story), @r"
    2026-01-01 rex vip.granted reseller: role reseller, role reseller
    2026-01-04 pam vip.granted referral_partner: role partner, referred_365d 3
    2026-01-05 ivy vip.granted influencer: role influencer, role influencer, reach_90d 250000
    2026-01-07 tom vip.granted prospect: orders_365d 0, interest_14d 5
    2026-01-08 tom vip.revoked prospect: orders_365d 1, interest_14d 5
    2026-02-01 rex vip.revoked reseller: role test, role test
    2026-04-04 ivy vip.revoked influencer: role influencer, role influencer, reach_90d 0
    2027-01-03 pam vip.expiring referral_partner: role partner, role partner, referred_365d 0
    2027-02-02 pam vip.revoked referral_partner: role partner, role partner, referred_365d 0
    2026-01-06 rex agent.alert partner_online: role reseller
    ");
}

#[test]
fn a_fee_waived_thirty_times_is_proposed_as_a_rule_once() {
    let text = std::fs::read_to_string("deploy/examples/grievance.yaml").unwrap();
    let case = |number: usize| {
        json!({ "event_id": format!("e{number}"), "customer_id": format!("c{}", number % 24), "version": 1,
            "occurred_at": format!("2026-03-{:02}T09:00:00Z", number + 1), "case_id": format!("k{number}"),
            "state": "solved", "agent_id": "a1", "reopens": if number % 24 < 3 { 2 } else { 0 },
            "exception": { "kind": "fee_waived", "approved_by": format!("lead{}", number % 3) } })
        .to_string()
        .into_bytes()
    };
    let until = EventTime("2026-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let lines = replay_memory(&text, &[(Kind::Case, (0..30).map(case).collect())], Some(until));
    let [candidate] = lines["vip.insights"].as_slice() else { panic!("{:?}", lines["vip.insights"]) };
    let candidate: serde_json::Value = serde_json::from_str(candidate).unwrap();
    let cohorts =
        json!([{ "cohort": "other", "cases": 27, "customers": 24 }, { "cohort": "vip", "cases": 3, "customers": 3 }]);
    assert_eq!(candidate["cohorts"], cohorts, "three have had two cases that were hard to resolve by then");
    let counts = ["cases", "customers", "approvers"].map(|name| candidate[name].as_u64().unwrap());
    assert_eq!(counts, [30, 24, 3]);
}

fn order(who: &str, at: &str, id: &str, amount: u32) -> (&'static str, serde_json::Value) {
    (
        "purchase",
        json!({ "customer_id": who, "occurred_at": format!("{at}T09:00:00Z"), "order_id": id, "amount": amount,
        "currency": "EUR", "status": "completed" }),
    )
}

fn refund(who: &str, at: &str, id: &str, amount: u32) -> (&'static str, serde_json::Value) {
    let (kind, mut event) = order(who, at, id, amount);
    event["status"] = "refunded".into();
    event["refund_id"] = id.into();
    (kind, event)
}

#[test]
fn those_of_value_are_granted_by_sum_points_number_and_years_and_revoked() {
    let trip = |at: &str, id: &str, amount: u32| {
        let (kind, mut event) = order("tess", at, id, amount);
        event["category"] = "trip".into();
        (kind, event)
    };
    let mut story = vec![
        order("sue", "2026-01-05", "s1", 600),
        order("sue", "2026-01-06", "s2", 600),
        order("ron", "2026-01-05", "r1", 1_200),
        refund("ron", "2026-01-20", "r1", 500),
        trip("2026-01-10", "t1", 700),
        trip("2026-05-10", "t2", 900),
        trip("2026-11-10", "t3", 900),
        order("old", "2016-01-05", "l1", 10),
        order("old", "2026-02-01", "l2", 10),
    ];
    story.extend((1..=12).map(|day| order("reg", &format!("2026-01-{day:02}"), &format!("g{day}"), 1)));
    insta::assert_snapshot!(decides("value.yaml", &story), @r"
    2026-01-05 ron vip.granted spender: spend_90d 1200
    2026-01-06 sue vip.granted spender: spend_90d 1200
    2026-01-12 reg vip.granted regular: orders_365d 12
    2026-01-20 ron vip.revoked spender: spend_90d 700
    2026-02-01 old vip.granted old_friend: days_since(first_purchase) 3680, orders_365d 1
    2026-04-04 sue vip.expiring spender: spend_90d 600
    2026-04-11 sue vip.revoked spender: spend_90d 0
    2026-05-10 tess vip.granted collector: points_year 160, trip_points 160
    2026-12-31 tess vip.revoked collector: points_year 0, trip_points 0
    2027-01-02 reg vip.expiring regular: orders_365d 9
    2027-01-31 old vip.revoked old_friend: days_since(first_purchase) 4045, orders_365d 0
    2027-02-01 reg vip.revoked regular: orders_365d 0
    ");
}

#[test]
fn a_valued_customer_who_falls_silent_is_told_of_and_comes_back() {
    let days = (0..12).map(|at| 14 * at).chain([320]);
    let at = |day: i16| jiff::civil::date(2025, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap().to_string();
    let story: Vec<_> = days.map(|day| order("val", &at(day), &format!("o{day}"), 100)).collect();
    insta::assert_snapshot!(decides("pivots.yaml", &story), @r"
    2025-03-12 val cohort.entered loyal: orders_365d 6
    2025-05-07 val vip.granted valued: spend_365d 1000
    2025-08-12 val cohort.entered silent: pivot.silence true
    2025-11-17 val cohort.left silent: pivot.silence false
    2026-01-25 val cohort.entered silent: pivot.silence true
    2026-03-11 val vip.expiring valued: spend_365d 700
    2026-03-25 val vip.revoked valued: spend_365d 600
    2026-04-08 val cohort.left loyal: orders_365d 5
    2025-09-10 val agent.alert valued_goes: pivot.silence 0.00022926, vip true
    2026-02-23 val agent.alert valued_goes: pivot.silence 0.00022926, vip true
    ");
    let lines = said("pivots.yaml", &story);
    let sentences = lines["vip.pivots"].iter().map(|line| {
        let pivot: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{}: {}", &pivot["occurred_at"].as_str().unwrap()[..10], pivot["sentence"].as_str().unwrap())
    });
    insta::assert_snapshot!(sentences.collect::<Vec<_>>().join("\n"), @r"
    2025-08-12: Usually buys every 17 days; now silent for 69 days. By chance this would happen to a customer like this less than once in 20 years of watching.
    2025-09-10: Usually buys every 17 days; now silent for 98 days. By chance this would happen to a customer like this less than once in 200 years of watching.
    2025-11-17: Buys again after 166 days of silence; usual is every 17 days.
    2026-01-25: Usually buys every 17 days; now silent for 69 days. By chance this would happen to a customer like this less than once in 20 years of watching.
    2026-02-23: Usually buys every 17 days; now silent for 98 days. By chance this would happen to a customer like this less than once in 200 years of watching.
    ");
}

#[test]
fn advocates_are_granted_by_number_and_by_what_is_left_of_purchases_and_revoked() {
    let referral = |who: &str, friend: &str| {
        (
            "referral",
            json!({ "customer_id": who, "occurred_at": "2026-01-02T09:00:00Z", "referred_customer_id": friend,
            "status": "converted" }),
        )
    };
    let friends: Vec<String> = (0..10).map(|number| format!("friend{number}")).collect();
    let mut story = vec![referral("max", "gus"), order("gus", "2026-01-03", "g", 800)];
    for friend in &friends {
        story.push(referral("pam", friend));
        story.push(order(friend, "2026-01-04", friend, 300));
        story.push(refund(friend, "2026-01-10", friend, 300));
    }
    insta::assert_snapshot!(decides("advocates.yaml", &story), @r"
    2026-01-02 pam vip.granted popular: friends_365d 10
    2026-01-03 max vip.granted profitable: net_365d 800
    2026-01-04 pam vip.granted profitable: net_365d 600
    2026-01-04 pam vip.changed profitable: net_365d 2100, buyers_365d 7
    2026-01-10 pam vip.revoked profitable: net_365d 300
    2027-01-01 pam vip.expiring popular: friends_365d 0
    2027-01-02 max vip.expiring profitable: net_365d 0
    2027-01-15 pam vip.revoked popular: friends_365d 0
    2027-01-16 max vip.revoked profitable: net_365d 0
    ");
}

#[test]
fn the_first_of_a_region_has_its_place_and_a_stronger_one_takes_that_of_the_weakest() {
    let who = |id: &str, region: &str| {
        let event = json!({ "customer_id": id, "occurred_at": "2026-01-01T09:00:00Z", "version": 1, "region": region });
        ("customer", event)
    };
    let mut story = vec![
        (
            "agent",
            json!({ "agent_id": "mia", "occurred_at": "2026-01-01T08:00:00Z", "version": 1, "team": "concierge",
            "state": "online" }),
        ),
        who("ann", "west"),
        who("bob", "west"),
        who("cid", "west"),
        who("dan", "east"),
        order("bob", "2026-01-02", "b1", 1_500),
        order("ann", "2026-01-03", "a1", 2_000),
        order("dan", "2026-01-04", "d1", 10),
        order("cid", "2026-02-10", "c1", 3_200),
        order("cid", "2026-03-10", "c2", 300),
    ];
    let rich: Vec<String> = (0..20).map(|number| format!("rich{number:02}")).collect();
    story.extend((3_000..).zip(&rich).map(|(spend, who)| order(who, "2026-01-05", who, spend)));
    let decided = decides("budgets.yaml", &story);
    let of_others = |line: &&str| line.contains("rich") || line.contains("top_fifth");
    let seen: Vec<&str> = decided.lines().filter(|line| !of_others(line)).collect();
    insta::assert_snapshot!(seen.join("\n"), @r"
    2026-01-02 bob vip.granted pioneer: orders_365d 1, earliest(first_purchase) 2026-01-02T09:00:00.000Z
    2026-01-02 bob vip.granted concierge: spend_365d 1500, spend_365d 1500
    2026-01-03 ann vip.waitlisted pioneer: orders_365d 1, earliest(first_purchase) 2026-01-03T09:00:00.000Z
    2026-01-03 ann vip.granted concierge: spend_365d 2000, spend_365d 2000
    2026-01-04 dan vip.granted pioneer: orders_365d 1, earliest(first_purchase) 2026-01-04T09:00:00.000Z
    2026-02-01 bob vip.revoked concierge: spend_365d 1500
    2026-02-01 bob vip.waitlisted concierge: spend_365d 1500, spend_365d 1500
    2026-02-02 ann vip.revoked concierge: spend_365d 2000
    2026-02-02 ann vip.waitlisted concierge: spend_365d 2000, spend_365d 2000
    2026-02-10 cid vip.waitlisted pioneer: orders_365d 1, earliest(first_purchase) 2026-02-10T09:00:00.000Z
    2026-02-10 cid vip.waitlisted concierge: spend_365d 3200, spend_365d 3200
    2026-03-10 cid vip.granted concierge: spend_365d 3500, spend_365d 3500
    2027-01-01 bob vip.revoked pioneer: orders_365d 0
    2027-01-01 ann vip.granted pioneer: orders_365d 1, earliest(first_purchase) 2026-01-03T09:00:00.000Z
    2027-01-02 ann vip.revoked pioneer: orders_365d 0
    2027-01-02 cid vip.granted pioneer: orders_365d 2, earliest(first_purchase) 2026-02-10T09:00:00.000Z
    2027-01-03 dan vip.revoked pioneer: orders_365d 0
    2027-02-09 cid vip.revoked concierge: spend_365d 300
    2027-03-09 cid vip.revoked pioneer: orders_365d 0
    ");
}

#[test]
fn who_put_a_public_complaint_right_makes_the_customer_a_vip_until_a_day() {
    let at = EventTime("2026-03-01T09:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let author = CustomerId::author("x", "@ann");
    let parts = ["grievance", "agent.alert", author.text(), "public_complaint", "", "mention", "x|p1|create"];
    let alert_id = OutputId::of(&parts, at).to_string();
    let story = [
        (
            "mention",
            json!({ "customer_id": "ann", "occurred_at": at.to_string(), "platform": "x", "handle": "@ann",
                "public": true, "post_id": "p1", "sentiment": -0.9 }),
        ),
        (
            "acknowledgement",
            json!({ "customer_id": "ann", "occurred_at": "2026-03-02T10:00:00Z", "alert_id": alert_id,
                "action": "resolved", "by": "mia", "make_vip": { "programme": "put_right",
                "expires_at": "2026-04-01T00:00:00Z" } }),
        ),
    ];
    insta::assert_snapshot!(decides("grievance.yaml", &story), @r"
    2026-03-02 ann vip.granted put_right: complaints_90d 1, last_case null
    2026-04-01 ann vip.revoked put_right: complaints_90d 1, last_case null
    2026-03-01 ann agent.alert public_complaint: event.public true, event.sentiment -0.9
    ");
}
