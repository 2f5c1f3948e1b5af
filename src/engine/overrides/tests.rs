//! Who is counted, whatever becomes of them; what of a word is kept.

use std::sync::Arc;

use super::*;
use crate::codec::{RawRecord, decode};
use crate::engine::{Engine, Home, TimeMode};
use crate::model::event::Kind;
use crate::model::record::{Epoch, Position, Record};

/// Something in each field.
pub(in crate::engine) fn by_hand() -> ByHand {
    let word = Word {
        at: EventTime(5),
        action: OverrideAction::Deny,
        ends: EventTime(9),
        id: "v1".into(),
        programme: 0,
        tier: None,
        by: "mia".into(),
        reason: "abuse".into(),
        approved_by: Some("lead".into()),
        case_id: Some("c1".into()),
        in_force: true,
        disagrees: true,
    };
    ByHand { words: vec![word], complaints: vec![(7, EventTime(3))] }
}

const RULES: &str = "
ruleset: shop
currency: EUR
hop: 1s
features: { spend: { sum: purchase.amount } }
programmes: { big: { profile: value, grant: spend >= 100 } }";

/// Applies events of one customer each, at their second, and hands the engine on as it is and as it is restored.
fn members(events: &[(i64, Kind, &str, &str)]) -> Members {
    let rules = Arc::new(Ruleset::parse("rules.yaml", RULES).unwrap());
    let mut engine = Engine::new(Arc::clone(&rules), "shop", TimeMode::Event, Home::ALONE);
    let records = events.iter().map(|(second, kind, customer, fields)| {
        let at = second * 1_000;
        let json = format!(r#"{{"event_id":"e","customer_id":"{customer}","occurred_at":{at},{fields}}}"#);
        let body = decode(*kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
        assert!(body.is_ok(), "{body:?}");
        Record { position: Position { kind: *kind, partition: 0, offset: 0 }, merge_time: EventTime(at), body }
    });
    let clock = EventTime(100_000);
    engine.apply(Epoch { records: records.collect(), clock, wall: clock, ..Epoch::default() }, &mut Vec::new());
    let (head, mut block) = (engine.freeze(), Vec::new());
    while engine.encode(10, &mut block).is_some() {}
    let mut restored = Engine::restore(rules, "shop", TimeMode::Event, Home::ALONE, &head).unwrap();
    restored.admit(&block).unwrap();
    assert_eq!(restored.stats().members, engine.stats().members, "restored");
    engine.stats().members
}

const ORDER: &str = r#""order_id":"o1","amount":150,"currency":"EUR","status":"completed""#;
const GRANT: &str =
    r#""override_id":"v1","action":"grant","programme":"big","by":"mia","reason":"x","expires_at":1000000"#;
const SHORT: &str =
    r#""override_id":"v2","action":"grant","programme":"big","by":"mia","reason":"x","expires_at":50000"#;
const DENY: &str =
    r#""override_id":"v3","action":"deny","programme":"big","by":"mia","reason":"x","expires_at":1000000"#;

#[test]
fn members_are_counted_by_whose_word_they_are() {
    let counted = |customers, by_override, overrides| Members { customers, by_override, overrides };
    let grant = (1, Kind::Override, "ann", GRANT);
    assert_eq!(members(&[(0, Kind::Purchase, "ann", ORDER)]), counted(1, 0, 0));
    assert_eq!(members(&[grant]), counted(1, 1, 1));
    assert_eq!(members(&[(0, Kind::Purchase, "ann", ORDER), grant]), counted(1, 0, 1), "held by both");
    assert_eq!(members(&[(1, Kind::Override, "ann", SHORT)]), counted(0, 0, 0), "it has ended");
    assert_eq!(members(&[(0, Kind::Purchase, "ann", ORDER), (1, Kind::Override, "ann", DENY)]), counted(0, 0, 1));
    assert_eq!(members(&[grant, (2, Kind::Erasure, "ann", r#""request_id":"q""#)]), counted(0, 0, 0));
}

#[test]
fn who_is_merged_is_counted_once() {
    let merge = (2, Kind::Customer, "ann", r#""version":1,"merged_into":"bob""#);
    let both = [(1, Kind::Override, "ann", GRANT), (1, Kind::Purchase, "bob", ORDER), merge];
    assert_eq!(members(&both), Members { customers: 1, by_override: 0, overrides: 1 });
    assert_eq!(members(&[both[0], merge]), Members { customers: 1, by_override: 1, overrides: 1 });
}
