//! Scripts: one event a line in, one output a line out, as an operator would tell the story.
//!
//! `d5+3h ann purchase o1 300.00 category=trip` is an order three hours into day 5. Words after the kind are
//! its required fields in short, `name=value` sets any field, `partition=1` sends the line to another
//! partition, and `raw KIND 'text'` is a line as it stands.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::Kind;
use vipstream::model::time::EventTime;

use super::model::{Input, Outputs};

/// Day 0 of every script: 2025-01-01T00:00:00Z.
const DAY_ZERO: i64 = 1_735_689_600_000;
const DAY_MS: i64 = 86_400_000;

/// Plays a script under a ruleset's parts; the head (name, currency, timezone UTC) is added where absent.
pub fn run(rules: &str, script: &str) -> String {
    brief(&outputs(rules, script, None))
}

/// Plays a script and lets the time run on to `until`.
pub fn run_until(until: &str, rules: &str, script: &str) -> String {
    brief(&outputs(rules, script, Some(time(until))))
}

/// The evidence rows of every output, one a line below it.
pub fn explain(rules: &str, script: &str) -> String {
    let outputs = outputs(rules, script, None);
    let mut text = String::new();
    for line in outputs["vip.events"].iter().chain(&outputs["vip.alerts"]) {
        let output: Json = serde_json::from_str(line).expect("an output is JSON");
        text.push_str(&brief_line(&output));
        text.push('\n');
        for row in output["evidence"].as_array().expect("evidence is a list") {
            text.push_str("  ");
            text.push_str(&row_in_short(row));
            text.push('\n');
        }
    }
    text
}

/// The outputs in full, as JSON.
pub fn in_full(rules: &str, script: &str) -> Vec<Json> {
    let outputs = outputs(rules, script, None);
    let lines = outputs["vip.events"].iter().chain(&outputs["vip.alerts"]);
    lines.map(|line| serde_json::from_str(line).expect("an output is JSON")).collect()
}

/// The lines of one topic in full, the time running on to `until`.
pub fn topic_until(until: &str, topic: &str, rules: &str, script: &str) -> Vec<Json> {
    let lines = &outputs(rules, script, Some(time(until)))[topic];
    lines.iter().map(|line| serde_json::from_str(line).expect("an output is JSON")).collect()
}

fn outputs(rules: &str, script: &str, until: Option<EventTime>) -> Outputs {
    let ruleset = with_head(rules);
    let inputs = inputs(script);
    super::judge::judged(&ruleset, &inputs, until)
}

/// The ruleset's parts as a whole rule file.
pub fn with_head(rules: &str) -> String {
    let mut text = String::new();
    for (key, value) in [("ruleset", "acme"), ("currency", "EUR"), ("timezone", "UTC")] {
        if !rules.lines().any(|line| line.trim_start().starts_with(&format!("{key}:"))) {
            text.push_str(&format!("{key}: {value}\n"));
        }
    }
    let indent =
        rules.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).min();
    for line in rules.lines() {
        text.push_str(line.get(indent.unwrap_or(0)..).unwrap_or(""));
        text.push('\n');
    }
    text
}

/// The script's lines, by partition.
pub fn inputs(script: &str) -> Vec<Input> {
    let mut lanes: BTreeMap<(Kind, u64), Vec<Vec<u8>>> = BTreeMap::new();
    for (number, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let words = words(line);
        if words[0] == "raw" {
            let kind = Kind::from_name(&words[1]).expect("raw names a kind");
            lanes.entry((kind, 0)).or_default().push(words[2].clone().into_bytes());
            continue;
        }
        let (kind, mut event) = event(&words, number + 1);
        let partition = event.shift_remove("partition").and_then(|partition| partition.as_u64()).unwrap_or(0);
        for below in 0..partition {
            lanes.entry((kind, below)).or_default();
        }
        lanes.entry((kind, partition)).or_default().push(Json::Object(event).to_string().into_bytes());
    }
    lanes.into_iter().map(|((kind, _), lines)| (kind, lines)).collect()
}

/// Splits at spaces outside single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn event(words: &[String], number: usize) -> (Kind, Map<String, Json>) {
    let mut event = Map::new();
    event.insert("event_id".to_owned(), json!(format!("e{number}")));
    event.insert("customer_id".to_owned(), json!(words[1]));
    event.insert("occurred_at".to_owned(), json!(time(&words[0]).to_string()));
    let word = words[2].as_str();
    let (kind, fixed, short): (_, &[(&str, Json)], &[&str]) = match word {
        "purchase" => (Kind::Purchase, &[("status", json!("completed"))], &["order_id", "amount", "currency"]),
        "refund" => (Kind::Purchase, &[("status", json!("refunded"))], &["order_id", "amount", "currency"]),
        "cancel" => (Kind::Purchase, &[("status", json!("cancelled")), ("amount", json!("0"))], &["order_id"]),
        "dispute" => (Kind::Purchase, &[("status", json!("disputed")), ("amount", json!("0"))], &["order_id"]),
        "csat" => (Kind::Csat, &[("scale_max", json!(5))], &["interaction_id", "score"]),
        "mention" => (
            Kind::Mention,
            &[("platform", json!("x")), ("handle", json!(format!("@{}", words[1]))), ("public", json!(true))],
            &["post_id", "activity"],
        ),
        "referral" => (Kind::Referral, &[], &["referred_customer_id", "status"]),
        "presence" => (Kind::Presence, &[], &["session_id", "state"]),
        "case" => (Kind::Case, &[], &["case_id", "version", "state"]),
        "engagement" => (Kind::Engagement, &[], &["engagement_id", "action"]),
        "erasure" => (Kind::Erasure, &[], &["request_id"]),
        "grant" => (
            Kind::Override,
            &[("action", json!("grant")), ("by", json!("mia")), ("reason", json!("goodwill"))],
            &["override_id", "programme", "expires_at"],
        ),
        "deny" => (
            Kind::Override,
            &[("action", json!("deny")), ("by", json!("mia")), ("reason", json!("abuse"))],
            &["override_id", "programme", "expires_at"],
        ),
        "lift" => (
            Kind::Override,
            &[("action", json!("lift")), ("by", json!("mia")), ("reason", json!("settled"))],
            &["override_id", "programme"],
        ),
        "acknowledge" => (Kind::Acknowledgement, &[("by", json!("noa"))], &["alert_id", "action"]),
        "agent" => (Kind::Agent, &[], &["version", "state"]),
        "customer" => (Kind::Customer, &[], &["version"]),
        "account" => (Kind::Account, &[], &["version"]),
        "rate" => (Kind::FxRate, &[], &["rate", "valid_on"]),
        other => panic!("no event is called {other}"),
    };
    if kind == Kind::Agent {
        event.shift_remove("customer_id");
        event.insert("agent_id".to_owned(), json!(words[1]));
    }
    if kind == Kind::Account {
        let id = event.shift_remove("customer_id").expect("put just now");
        event.insert("account_id".to_owned(), id);
    }
    if kind == Kind::Purchase {
        event.insert("currency".to_owned(), json!("EUR"));
    }
    event.extend(fixed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let (named, plain): (Vec<&String>, Vec<&String>) = words[3..].iter().partition(|word| word.contains('='));
    for (name, value) in short.iter().zip(plain) {
        let is_text = !matches!(*name, "score" | "version");
        event.insert((*name).to_owned(), if is_text { json!(value) } else { scalar(value) });
    }
    for word in named {
        let (name, value) = word.split_once('=').expect("partitioned by it");
        event.insert(name.to_owned(), scalar(value));
    }
    if kind == Kind::FxRate {
        let (base, quote) = words[1].split_once('/').expect("a rate is between two currencies");
        let day = event.get("valid_on").and_then(Json::as_str).unwrap_or(&words[0]);
        let date = time(day).to_string()[..10].to_owned();
        event.shift_remove("customer_id");
        event.extend([("base", base), ("quote", quote)].map(|(name, code)| (name.to_owned(), json!(code))));
        event.insert("valid_on".to_owned(), json!(date));
    }
    if let Some(end) = event.get("expires_at").and_then(Json::as_str).map(|end| time(end).to_string()) {
        event.insert("expires_at".to_owned(), json!(end));
    }
    event.retain(|_, value| !value.is_null());
    (kind, event)
}

/// `null`, numbers, `true`, lists and objects as in JSON; anything else is text.
fn scalar(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// `d5`, `d5+3h`, `d5+1h30m10s`, `d5-1ms`, or RFC 3339.
pub fn time(text: &str) -> EventTime {
    let Some(rest) = text.strip_prefix('d') else {
        let instant: jiff::Timestamp = text.parse().expect("a time in RFC 3339");
        return EventTime(instant.as_millisecond());
    };
    let split = rest.find(['+', '-']).unwrap_or(rest.len());
    let (days, mut span) = rest.split_at(split);
    let sign = if span.starts_with('-') { -1 } else { 1 };
    span = span.trim_start_matches(['+', '-']);
    let mut millis = 0;
    while !span.is_empty() {
        let digits = span.find(|c: char| !c.is_ascii_digit()).expect("a unit after the number");
        let units = span[digits..].find(|c: char| c.is_ascii_digit()).map_or(span.len(), |end| digits + end);
        let unit = match &span[digits..units] {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            other => panic!("no unit is called {other}"),
        };
        millis += span[..digits].parse::<i64>().expect("digits") * unit;
        span = &span[units..];
    }
    EventTime(DAY_ZERO + days.parse::<i64>().expect("a day's number") * DAY_MS + sign * millis)
}

fn brief(outputs: &Outputs) -> String {
    let mut text = String::new();
    for topic in ["vip.events", "vip.alerts", "vip.dlq"] {
        for line in &outputs[topic] {
            text.push_str(&brief_line(&serde_json::from_str(line).expect("an output is JSON")));
            text.push('\n');
        }
    }
    text
}

/// When, who, what, and what matters most about it.
fn brief_line(output: &Json) -> String {
    let word = |name: &str| output[name].as_str().unwrap_or("-");
    if word("type") == "dead_letter" {
        return format!("{}:{}:{} dead_letter {}", word("topic"), output["partition"], output["offset"], word("code"));
    }
    let instant = |name: &str| output[name].as_str().map(short_time);
    let of_account = || output["account_id"].as_str().map(|id| format!("account:{id}"));
    let who = output["customer_id"].as_str().map(str::to_owned).or_else(of_account).unwrap_or_else(|| "-".to_owned());
    let mut text = format!("{} {who} {}", instant("occurred_at").expect("always there"), word("type"));
    let name = ["programme", "label", "name"].into_iter().find_map(|name| output[name].as_str());
    text.push_str(&format!(" {}", name.expect("every output is about something")));
    for name in ["tier", "reason", "severity"] {
        text.push_str(&output[name].as_str().map(|word| format!(" {word}")).unwrap_or_default());
    }
    text.push_str(&output["rank"].as_u64().map(|rank| format!(" #{rank}")).unwrap_or_default());
    if matches!(word("reason"), "tier_rise" | "tier_fall") {
        text.push_str(&format!(" {}>{}", word("from"), word("to")));
    }
    for name in ["valid_until", "due_at", "expires_at"] {
        text.push_str(&instant(name).map(|at| format!(" {name}={at}")).unwrap_or_default());
    }
    text
}

/// An instant by its day.
pub fn short_time(text: &str) -> String {
    let instant: jiff::Timestamp = text.parse().expect("a time in RFC 3339");
    let millis = instant.as_millisecond() - DAY_ZERO;
    let (day, rest) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS));
    let (seconds, fraction) = (rest / 1000, rest % 1000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (rest, fraction) {
        (0, _) => format!("d{day}"),
        (_, 0) => format!("d{day}+{}", clock.strip_suffix(":00").unwrap_or(&clock)),
        _ => format!("d{day}+{clock}.{fraction:03}"),
    }
}

/// An evidence row: feature, window, value, what it is compared with, and where its sample lies.
pub fn row_in_short(row: &Json) -> String {
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut text = plain(&row["feature"]);
    if let Some(window) = row.get("window") {
        text.push_str(&format!("/{}", plain(window)));
    }
    text.push_str(&format!(" {}", plain(&row["value"])));
    if let (Some(op), Some(threshold)) = (row.get("op"), row.get("threshold")) {
        text.push_str(&format!(" {} {}", plain(op), plain(threshold)));
    }
    if let Some(holds) = row.get("holds") {
        text.push_str(if holds == &json!(true) { " holds" } else { " fails" });
    }
    if let Some(at) = row.get("settled_at").and_then(Json::as_str) {
        text.push_str(&format!(" as of {}", short_time(at)));
    }
    for place in row["sample"].as_array().expect("a sample is a list") {
        text.push_str(&format!(" {}:{}:{}", plain(&place["topic"]), place["partition"], place["offset"]));
    }
    text
}
