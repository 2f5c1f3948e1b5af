//! More candidates than one epoch says or tells, in `live`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{RULINGS, SAYINGS};
use crate::codec::{RawRecord, decode};
use crate::engine::{Engine, Home, TimeMode};
use crate::model::event::Kind;
use crate::model::output::Output;
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: places
currency: EUR
features: { spend: { sum: purchase.amount } }
programmes: { big: { grant: spend >= 1, budget: { max: 500, rank: spend, margin: 10% } } }
";
const CUSTOMERS: u64 = 3_000;
const PLACES: usize = 500;

/// 1 March 2025, 12:00 UTC.
const START: i64 = 1_740_830_400_000;

fn at(second: u64) -> EventTime {
    EventTime(START + i64::try_from(second).expect("few") * 1_000)
}

/// What was said, in its order: who, what, as of when; and how often an epoch left something to say.
#[derive(Debug, Default, PartialEq)]
struct Said {
    decisions: Vec<(String, &'static str, EventTime)>,
    behind: usize,
}

/// Everybody buys at once, then some buy more each second: who has been told of, and who is still to be.
fn play(between: usize, is_restored: bool) -> Said {
    let rules = Arc::new(Ruleset::parse("rules", RULES).expect("rules in order"));
    let mut engine = Engine::new(Arc::clone(&rules), "places", TimeMode::Live, Home::ALONE);
    let (mut said, mut number) = (Said::default(), 0);
    for second in 0..200 {
        let buyers: Vec<u64> = match second {
            0 => (0..CUSTOMERS).collect(),
            _ => (0..20).map(|more| (second * 137 + more * 71) % CUSTOMERS).collect(),
        };
        let mut records: Vec<Record> = buyers.iter().map(|who| purchase(*who, second, &mut number)).collect();
        for _ in 0..=between {
            let records = std::mem::take(&mut records);
            let mut outputs = Vec::new();
            engine.apply(Epoch { records, clock: at(second), wall: at(second), ..Epoch::default() }, &mut outputs);
            said.behind += usize::from(engine.is_behind());
            said.decisions.extend(outputs.iter().filter_map(decision));
            if is_restored {
                engine = restored(&mut engine, &rules);
            }
        }
    }
    said
}

fn purchase(who: u64, second: u64, number: &mut u64) -> Record {
    *number += 1;
    let json = format!(
        r#"{{"event_id":"e{number}","customer_id":"c{who}","occurred_at":{},"order_id":"o{number}","amount":"{}","currency":"EUR","status":"completed"}}"#,
        at(second).0,
        1 + (who * 7_919 + second * 31) % 997
    );
    let body = decode(Kind::Purchase, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
    let position = Position { kind: Kind::Purchase, partition: 0, offset: *number };
    Record { position, merge_time: at(second), body }
}

fn decision(output: &Output) -> Option<(String, &'static str, EventTime)> {
    let Output::Decision(it) = output else { return None };
    Some((it.customer_id.as_str().to_owned(), it.change.type_name(), it.occurred_at))
}

fn restored(engine: &mut Engine, rules: &Arc<Ruleset>) -> Engine {
    let head = engine.freeze();
    let mut block = Vec::new();
    while engine.encode(1_000, &mut block).is_some() {}
    let mut again = Engine::restore(Arc::clone(rules), "places", TimeMode::Live, Home::ALONE, &head).expect("a state");
    again.admit(&block).expect("customers");
    again
}

#[test]
fn however_much_an_epoch_says_the_same_is_decided() {
    let (slow, quick, restored) = (play(0, false), play(9, false), play(0, true));
    assert!(usize::try_from(CUSTOMERS).expect("few") > 2 * SAYINGS, "an epoch must not say all");
    assert!(usize::try_from(CUSTOMERS).expect("few") - PLACES > RULINGS, "nor tell all");
    assert!(slow.behind >= 2, "said in {} epochs", slow.behind);
    assert_eq!(slow, restored, "a restart in the midst of it changes nothing");
    let sorted = |said: &Said| said.decisions.iter().cloned().collect::<BTreeSet<_>>();
    let (slow_set, quick_set) = (sorted(&slow), sorted(&quick));
    assert_eq!(slow_set.len(), slow.decisions.len(), "nothing is said twice");
    assert_eq!(slow_set, quick_set);
    let mut members = BTreeMap::new();
    for (who, what, _) in &slow.decisions {
        members.insert(who, *what);
    }
    assert_eq!(members.len() as u64, CUSTOMERS, "everybody was told");
    assert_eq!(members.values().filter(|what| **what == "vip.granted").count(), PLACES);
}
