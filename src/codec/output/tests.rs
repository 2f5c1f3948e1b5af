//! What each output looks like on the wire, byte for byte.

mod insight;
mod pivot;
mod status;

use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::*;
use crate::model::id::CustomerId;
use crate::model::output::{Evidence, Fallback, OutputId, Routing, Scalar};
use crate::model::record::{Code, MAX_DEAD_LETTER_BYTES};

const NOON: EventTime = EventTime(852_120_000_000);

fn wire() -> Wire {
    Wire {
        ruleset: "acme shop".into(),
        hash: "00ff".into(),
        run_id: None,
        origin: "replay",
        topics: Kind::ALL.map(|kind| format!("vip.{}", kind.name())),
    }
}

fn position(kind: Kind, offset: u64) -> Position {
    Position { kind, partition: 1, offset }
}

fn evidence() -> Evidence {
    Evidence {
        feature: "spend_365d".into(),
        window: Some("365d".into()),
        value: Some(Scalar::Decimal(Decimal::new(512_000, 2))),
        threshold: Some(Scalar::Int(5_000)),
        op: Some(">="),
        holds: Some(true),
        settled_at: None,
        sample: vec![position(Kind::Purchase, 9), position(Kind::Purchase, 3)],
    }
}

fn fact(value: Option<Scalar>) -> Evidence {
    Evidence {
        feature: "role".into(),
        window: None,
        value,
        threshold: None,
        op: None,
        holds: None,
        settled_at: None,
        sample: vec![],
    }
}

fn decision(change: Change) -> Output {
    Output::Decision(Box::new(Decision {
        event_id: OutputId(0xabc),
        customer_id: CustomerId::from("ann"),
        account_id: None,
        status_seq: 7,
        occurred_at: NOON,
        cause: Cause::Event,
        trigger: Some(Trigger { position: position(Kind::Purchase, 9), event_id: "e-9".into() }),
        evidence: vec![evidence()],
        change,
        overridden: None,
    }))
}

fn routing() -> Routing {
    Routing {
        team: Some("concierge".into()),
        agent: None,
        channel: None,
        reason: "team",
        fallbacks: vec![
            Fallback {
                agent: Some("bob".into()),
                team: None,
                reason: "resolves_well",
                share: Some(Decimal::new(90, 2)),
            },
            Fallback { agent: None, team: Some("concierge".into()), reason: "team", share: None },
        ],
    }
}

fn alert(customer: Option<&str>) -> Alert {
    Alert {
        event_id: OutputId(1),
        alert_id: OutputId(1),
        name: "shame".into(),
        kind: "public_complaint",
        customer_id: customer.map(CustomerId::from),
        account_id: None,
        status_seq: 0,
        occurred_at: NOON,
        cause: Cause::Event,
        trigger: Some(Trigger { position: position(Kind::Mention, 4), event_id: "m-4".into() }),
        pivot: None,
        evidence: vec![],
        severity: "high".into(),
        due_at: Some(NOON.plus(Duration::from_mins(15))),
        expires_at: None,
        reply_on: Some(("x".into(), "@ann".into())),
        routing: None,
        greeting: None,
        customer_name: None,
        standing: vec![],
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(wire().json(output, None)).unwrap()
}

/// What every decision above begins with.
const HEAD: &str = r#"{"event_id":"00000000000000000000000000000abc","type":"TYPE","customer_id":"ann","status_seq":7,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":{"topic":"vip.purchase","partition":1,"offset":9,"event_id":"e-9"},"origin":"replay","evidence":[{"feature":"spend_365d","window":"365d","value":"5120","threshold":5000,"op":">=","holds":true,"sample":[{"topic":"vip.purchase","partition":1,"offset":9},{"topic":"vip.purchase","partition":1,"offset":3}]}],"#;

#[test]
fn each_decision_is_written_in_the_order_of_the_contract() {
    let standing = vec![CompactString::from("big")];
    let granted = |full: bool| Change::Granted {
        programme: "big".into(),
        profile: "value".into(),
        tier: full.then(|| "gold".into()),
        rank: full.then_some(12),
        valid_until: full.then_some(NOON),
        routing: full.then(routing),
        greeting: full.then(|| "Welcome \"back\", Ann".into()),
        entitlements: vec!["gift".into()],
        priority: 1,
        weight: if full { Scalar::Decimal(Decimal::new(150, 2)) } else { Scalar::Int(1) },
        standing: standing.clone(),
    };
    for (change, kind, tail) in [
        (
            granted(true),
            "vip.granted",
            r#""programme":"big","profile":"value","tier":"gold","rank":12,"valid_until":"1997-01-01T12:00:00.000Z","routing":{"team":"concierge","agent":null,"channel":null,"reason":"team","fallbacks":[{"agent":"bob","reason":"resolves_well","share":"0.9"},{"team":"concierge","reason":"team"}]},"greeting":"Welcome \"back\", Ann","entitlements":["gift"],"priority":1,"weight":"1.5","standing":["big"]}"#,
        ),
        (
            granted(false),
            "vip.granted",
            r#""programme":"big","profile":"value","entitlements":["gift"],"priority":1,"weight":1,"standing":["big"]}"#,
        ),
        (
            Change::Revoked { programme: "big".into(), reason: "rule_false", revokes: OutputId(2), standing: vec![] },
            "vip.revoked",
            r#""programme":"big","reason":"rule_false","revokes":"00000000000000000000000000000002","standing":[]}"#,
        ),
        (
            Change::Changed {
                programme: "big".into(),
                reason: "tier_rise",
                from: None,
                to: Some("gold".into()),
                weight: Scalar::Int(3),
                standing: standing.clone(),
            },
            "vip.changed",
            r#""programme":"big","reason":"tier_rise","from":null,"to":"gold","weight":3,"standing":["big"]}"#,
        ),
        (
            Change::Expiring {
                programme: "big".into(),
                valid_until: NOON,
                missing: vec![fact(None)],
                standing: standing.clone(),
            },
            "vip.expiring",
            r#""programme":"big","valid_until":"1997-01-01T12:00:00.000Z","missing":[{"feature":"role","value":null,"sample":[]}],"standing":["big"]}"#,
        ),
        (
            Change::Entered { label: "loyal".into(), definition: "orders >= 4".into() },
            "cohort.entered",
            r#""label":"loyal","definition":"orders >= 4"}"#,
        ),
        (
            Change::Left { label: "loyal".into(), definition: "orders >= 4".into() },
            "cohort.left",
            r#""label":"loyal","definition":"orders >= 4"}"#,
        ),
    ] {
        assert_eq!(text(&decision(change)), format!("{}{tail}", HEAD.replace("TYPE", kind)));
    }
}

#[test]
fn a_deadline_has_no_trigger_and_a_run_its_id() {
    let Output::Decision(mut it) = decision(Change::Left { label: "l".into(), definition: "d".into() }) else {
        unreachable!("a decision was made")
    };
    it.cause = Cause::Timer;
    it.trigger = None;
    it.evidence.clear();
    let wire = Wire { run_id: Some("r1".into()), ..wire() };
    let line = String::from_utf8(wire.json(&Output::Decision(it), Some(EventTime(0)))).unwrap();
    assert!(line.contains(r#""decided_at":"1970-01-01T00:00:00.000Z","ruleset":"#), "{line}");
    assert!(line.contains(r#""trigger":null,"origin":"timer","run_id":"r1","evidence":[],"#), "{line}");
}

#[test]
fn every_scalar_is_written_so_that_no_reader_rounds_it() {
    for (value, expected) in [
        (Scalar::Bool(true), "true"),
        (Scalar::Int(-3), "-3"),
        (Scalar::Decimal(Decimal::new(-100, 3)), "\"-0.1\""),
        (Scalar::Decimal(Decimal::new(0, 9)), "\"0\""),
        (Scalar::Text("a\u{1}b".into()), "\"a\\u0001b\""),
        (Scalar::Time(NOON), "\"1997-01-01T12:00:00.000Z\""),
    ] {
        assert_eq!(serde_json::to_string(&ScalarJson(&value)).unwrap(), expected);
    }
}

#[test]
fn an_alert_says_whom_to_answer_and_where() {
    let known = Alert {
        customer_name: Some("Ann".into()),
        standing: vec!["big".into()],
        expires_at: Some(NOON),
        greeting: Some("Hello".into()),
        routing: Some(routing()),
        ..alert(Some("ann"))
    };
    let head = r#"{"event_id":"00000000000000000000000000000001","type":"agent.alert","alert_id":"00000000000000000000000000000001","name":"shame","kind":"public_complaint","customer_id":CUSTOMER,"status_seq":0,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":{"topic":"vip.mention","partition":1,"offset":4,"event_id":"m-4"},"origin":"replay","evidence":[],"severity":"high","due_at":"1997-01-01T12:15:00.000Z","#;
    let reply = r#""reply_on":{"platform":"x","handle":"@ann"},"#;
    assert_eq!(
        text(&Output::Alert(Box::new(known))),
        format!(
            r#"{}"expires_at":"1997-01-01T12:00:00.000Z",{reply}"routing":{{"team":"concierge","agent":null,"channel":null,"reason":"team","fallbacks":[{{"agent":"bob","reason":"resolves_well","share":"0.9"}},{{"team":"concierge","reason":"team"}}]}},"greeting":"Hello","customer":{{"name":"Ann","standing":["big"]}}}}"#,
            head.replace("CUSTOMER", "\"ann\"")
        )
    );
    assert_eq!(
        text(&Output::Alert(Box::new(alert(None)))),
        format!(r#"{}{reply}"customer":{{"name":null,"standing":[]}}}}"#, head.replace("CUSTOMER", "null"))
    );
}

fn dead_letter(key: Option<&[u8]>, value: Option<&[u8]>) -> Output {
    let letter = DeadLetter::of(Code::InvalidUtf8, "not UTF-8".into(), key, value);
    Output::DeadLetter(position(Kind::Csat, 5), Box::new(letter))
}

#[test]
fn a_dead_letter_keeps_the_bytes_that_came() {
    let head = r#"{"type":"dead_letter","topic":"vip.csat","partition":1,"offset":5,"code":"invalid_utf8","message":"not UTF-8","#;
    for (key, value, tail) in [
        (None, Some(&b"\xff{"[..]), r#""value_base64":"/3s="}"#),
        (Some(&b"k"[..]), Some(&b""[..]), r#""key_base64":"aw==","value_base64":""}"#),
        (Some(&b"k"[..]), None, r#""key_base64":"aw==","value_base64":null}"#),
    ] {
        let output = dead_letter(key, value);
        assert_eq!(text(&output), format!("{head}{tail}"));
        assert_eq!(wire().value(&output, None).as_deref(), value);
        assert_eq!(wire().key(&output).as_deref(), key);
    }
}

#[test]
fn a_dead_letter_beyond_16_mb_is_cut_and_says_so() {
    let value = vec![b'x'; MAX_DEAD_LETTER_BYTES + 1];
    let whole = dead_letter(None, Some(&value[1..]));
    let cut = dead_letter(Some(b"key"), Some(&value));
    let line = text(&cut);
    let tail = format!(r#"","value_bytes":16000001,"value_xxh3":"{:016x}"}}"#, xxhash_rust::xxh3::xxh3_64(&value));
    assert!(line.ends_with(&tail), "{}", &line[line.len() - 100..]);
    assert_eq!(wire().value(&cut, None).map(|value| value.len()), Some(MAX_DEAD_LETTER_BYTES - 3));
    assert_eq!(wire().value(&whole, None).map(|value| value.len()), Some(MAX_DEAD_LETTER_BYTES));
    assert!(!text(&whole).contains("value_xxh3"));
    let headers = shown(&wire().headers(&cut, None));
    assert!(headers.contains("vipstream.error.value_bytes: 16000001"), "{headers}");
}

fn shown(headers: &[headers::Header]) -> String {
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
    lines.join("\n")
}

#[test]
fn outputs_on_kafka_are_cloud_events_keyed_by_whom_they_are_about() {
    let left = decision(Change::Left { label: "l".into(), definition: "d".into() });
    assert_eq!(wire().key(&left).as_deref(), Some(&b"ann"[..]));
    assert_eq!(
        shown(&wire().headers(&left, None)),
        "content-type: application/json\n\
         ce_specversion: 1.0\n\
         ce_id: 00000000000000000000000000000abc\n\
         ce_type: cohort.left\n\
         ce_source: /vipstream/acme%20shop\n\
         ce_time: 1997-01-01T12:00:00.000Z\n\
         ce_subject: ann"
    );
    let unknown = Output::Alert(Box::new(alert(None)));
    assert_eq!(wire().key(&unknown).as_deref(), Some(&b"x:@ann"[..]));
    assert!(shown(&wire().headers(&unknown, None)).ends_with("ce_subject: x:@ann"));
}

#[test]
fn a_dead_letter_on_kafka_names_its_place_for_us_and_for_kafka_streams() {
    assert_eq!(
        shown(&wire().headers(&dead_letter(None, None), Some(NOON))),
        "vipstream.error.code: invalid_utf8\n\
         vipstream.error.message: not UTF-8\n\
         vipstream.error.topic: vip.csat\n\
         vipstream.error.partition: 1\n\
         vipstream.error.offset: 5\n\
         __streams.errors.exception: invalid_utf8\n\
         __streams.errors.message: not UTF-8\n\
         __streams.errors.topic: vip.csat\n\
         __streams.errors.partition: 1\n\
         __streams.errors.offset: 5\n\
         vipstream.error.at: 1997-01-01T12:00:00.000Z"
    );
}
