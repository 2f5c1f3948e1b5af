//! Lasting changes of behaviour, on the wire.

use super::{NOON, evidence, position, shown, text, wire};
use crate::model::event::Kind as Input;
use crate::model::id::CustomerId;
use crate::model::output::pivot::Found;
use crate::model::output::{Cause, Output, OutputId, Trigger};
use crate::pivot::budget::Grade;
use crate::pivot::sentence::sentence;
use crate::pivot::{Channel, Direction, Kind, Pivot, Shops};

fn found(pivot: Pivot) -> Found {
    Found {
        event_id: OutputId(0xabc),
        customer_id: CustomerId::from("ann"),
        account_id: None,
        status_seq: 7,
        occurred_at: NOON,
        cause: Cause::Event,
        trigger: Some(Trigger { position: position(Input::Purchase, 9), event_id: "e-9".into() }),
        evidence: vec![evidence()],
        pivot,
        found_at: None,
        shift: None,
        currency: "EUR".into(),
        priors: "p1".into(),
        labels: vec!["loyal".into()],
    }
}

fn slowed() -> Pivot {
    Pivot {
        kind: Kind::CadenceSlowed,
        of: None,
        channel: Channel::Cadence,
        level: Grade::Alert,
        direction: Direction::Up,
        from: 10.0,
        to: 31.123_46,
        ratio: Some(3.112_346),
        shops: None,
        since_ms: NOON.0 - 86_400_000,
        decided_at_ms: NOON.0,
        n_before: 11.6,
        n_after: 4.0,
        evidence: Some(9.5),
        threshold: Some(8.25),
        p: None,
        days_silent: None,
        confidence: Some(0.98),
        budget: 0.01,
        was_announced: false,
    }
}

fn told(found: Found) -> Output {
    Output::Pivot(Box::new(found))
}

/// What a line says after its evidence.
fn body(pivot: Pivot) -> String {
    let told = sentence(&pivot, "EUR");
    let line = text(&told_by_time(pivot));
    let (_, body) = line.split_once(r#""evidence":[],"#).unwrap();
    let (body, tail) = body.split_once(r#","priors":"#).unwrap();
    let tail: serde_json::Value = serde_json::from_str(&format!(r#"{{"priors":{tail}"#)).unwrap();
    assert_eq!(tail, serde_json::json!({ "priors": "p1", "sentence": told, "labels": ["loyal"] }));
    body.to_owned()
}

fn told_by_time(pivot: Pivot) -> Output {
    told(Found { cause: Cause::Timer, trigger: None, evidence: vec![], ..found(pivot) })
}

#[test]
fn a_pivot_is_keyed_by_the_customer_and_begins_like_a_decision() {
    let output = told(Found { account_id: Some("acme".into()), ..found(slowed()) });
    let line = text(&output);
    let (head, tail) = line.split_once(r#""evidence":["#).unwrap();
    assert_eq!(
        head,
        r#"{"event_id":"00000000000000000000000000000abc","type":"behavior.pivot","customer_id":"ann","account_id":"acme","status_seq":7,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":{"topic":"vip.purchase","partition":1,"offset":9,"event_id":"e-9"},"origin":"replay","#
    );
    assert!(tail.starts_with(r#"{"feature":"spend_365d","#), "{tail}");
    assert_eq!(wire().key(&output).as_deref(), Some(&b"ann"[..]));
    let headers = shown(&wire().headers(&output, None));
    assert!(headers.contains("ce_type: behavior.pivot\n"), "{headers}");
    assert!(headers.ends_with("ce_subject: ann"), "{headers}");
    assert!(text(&told_by_time(slowed())).contains(r#""trigger":null,"origin":"timer","#));
}

#[test]
fn one_that_waited_says_since_when_and_of_which_shift_it_is_a_part() {
    let line = text(&told(Found { found_at: Some(NOON), shift: Some(OutputId(0xdef)), ..found(slowed()) }));
    let shown = r#""found_at":"1997-01-01T12:00:00.000Z","shift":"00000000000000000000000000000def","priors":"p1""#;
    assert!(line.contains(shown), "{line}");
}

#[test]
fn each_pivot_says_only_what_applies_to_it() {
    assert_eq!(
        body(slowed()),
        r#""kind":"cadence_slowed","channel":"cadence","direction":"up","level":"alert","from":"10","to":"31.1235","ratio":"3.1123","since":"1996-12-31T12:00:00.000Z","observations":16,"before":12,"after":4,"confidence":"0.98","expected":"0.01""#
    );
    let silence = Pivot {
        kind: Kind::Silence,
        p: Some(0.000_012_345_678),
        days_silent: Some(92.5),
        evidence: None,
        threshold: None,
        ..slowed()
    };
    let told = body(silence.clone());
    let tail = r#""after":4,"days_silent":"92.5","probability":"0.00001235","confidence":"0.98","expected":"0.01""#;
    assert!(told.ends_with(tail), "{told}");
    let back = Pivot { kind: Kind::Recovered, of: Some(Kind::Silence), p: None, confidence: None, ..silence };
    let told = body(back);
    assert!(told.starts_with(r#""kind":"recovered","of":"silence","channel":"cadence","#), "{told}");
    assert!(told.ends_with(r#""after":4,"days_silent":"92.5","confidence":null,"expected":"0.01""#), "{told}");
    let shops = Shops { before: "web".into(), since: "app".into() };
    let shifted =
        Pivot { kind: Kind::ChannelShifted, channel: Channel::Channel, shops: Some(shops), ratio: None, ..slowed() };
    let told = body(shifted);
    assert!(told.contains(r#""to":"31.1235","shops":{"before":"web","since":"app"},"since":"#), "{told}");
}

#[test]
fn a_number_that_is_none_is_null() {
    let odd = Pivot {
        from: f64::NAN,
        to: f64::INFINITY,
        ratio: Some(f64::NAN),
        since_ms: i64::MIN,
        n_before: f64::NAN,
        p: Some(f64::NAN),
        days_silent: Some(f64::NEG_INFINITY),
        confidence: Some(f64::NAN),
        budget: f64::NAN,
        ..slowed()
    };
    assert_eq!(
        body(odd),
        r#""kind":"cadence_slowed","channel":"cadence","direction":"up","level":"alert","from":null,"to":null,"ratio":null,"since":"1970-01-01T00:00:00.000Z","observations":null,"before":null,"after":4,"days_silent":null,"probability":null,"confidence":null,"expected":null"#
    );
}
