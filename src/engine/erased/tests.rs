use std::sync::Arc;

use super::super::{Home, TimeMode};
use super::*;
use crate::model::event::{Erasure, Presence, PresenceState};
use crate::model::record::{Epoch, Record};
use crate::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: shop
currency: EUR
features:
  visits: { count: presence, over: 1d }
programmes:
  guest: { grant: visits >= 1, tenure: 9d }
alerts:
  vip_online: { on: presence, when: vip }
";

fn engine(mode: TimeMode) -> Engine {
    Engine::new(Arc::new(Ruleset::parse("rules", RULES).expect("the rules are in order")), "shop", mode, Home::ALONE)
}

/// Events at these seconds: `erase` or anything else, which is a visit.
fn play(engine: &mut Engine, clock: i64, events: &[(i64, &str, &str)]) -> Vec<String> {
    let record = |offset: usize, (at, id, what): &(i64, &str, &str)| {
        let body = if *what == "erase" {
            Body::Erasure(Erasure { request_id: "q".into(), deadline: None })
        } else {
            let (state, ttl_s) = (PresenceState::Online, 90);
            let session_id = what.to_owned().into();
            Body::Presence(Presence { session_id, state, channel: None, page: None, device: None, ttl_s })
        };
        let at = EventTime(*at * 1_000);
        let (event_id, customer) = (format!("e{offset}").into(), Some(CustomerId::from(*id)));
        let event = Event { event_id, customer, at, body, unknown_values: 0 };
        let position = Position { kind: event.kind(), partition: 0, offset: offset as u64 };
        Record { position, merge_time: at, body: Ok(event) }
    };
    let records = events.iter().enumerate().map(|(offset, event)| record(offset, event)).collect();
    let mut outputs = Vec::new();
    let clock = EventTime(clock * 1_000);
    engine.apply(Epoch { records, clock, wall: clock, ..Epoch::default() }, &mut outputs);
    let told = outputs.iter().filter_map(|output| match output {
        Output::Decision(it) => Some(format!("{} {}", it.customer_id.as_str(), it.change.type_name())),
        Output::Alert(it) => Some(format!("{} alert", it.customer_id.as_ref().map_or("", CustomerId::as_str))),
        Output::DeadLetter(..) => Some("dead letter".to_owned()),
        Output::Status(_) | Output::Audit(_) | Output::Insight(_) | Output::Pivot(_) => None,
    });
    told.collect()
}

#[test]
fn beyond_the_bound_whoever_was_erased_first_may_come_back() {
    let mut engine = engine(TimeMode::Event);
    engine.erased = Erased::at_most(2);
    let erasures = ["ann", "bob", "cid", "ann"].map(|id| (1, id, "erase"));
    play(&mut engine, 1, &erasures[..3]);
    assert_eq!((engine.stats().erasures, engine.stats().erasures_forgotten), (3, 1));
    let said = play(&mut engine, 2, &[(2, "ann", "s"), (2, "bob", "s"), (2, "cid", "s")]);
    assert_eq!(said, ["ann vip.granted", "ann alert"]);
    assert_eq!((engine.stats().erased_events, engine.stats().customers), (2, 1));
    // Erased again, it is one of the newest.
    play(&mut engine, 3, &erasures[3..]);
    assert_eq!(play(&mut engine, 4, &[(4, "ann", "s"), (4, "bob", "s")]), ["bob vip.granted", "bob alert"]);
    assert_eq!(engine.stats().erasures_forgotten, 2);
}

#[test]
fn the_list_takes_no_more_room_than_its_bound() {
    let mut erased = Erased::at_most(100);
    for number in 0..10_000 {
        erased.insert(&CustomerId::from(format!("c{number}").as_str()), EventTime(number));
    }
    assert_eq!((erased.order.len(), erased.known.len()), (100, 100));
    assert!(erased.order.capacity() <= 256 && erased.known.capacity() <= 256);
    assert!(erased.contains(&CustomerId::from("c9900")) && !erased.contains(&CustomerId::from("c9899")));
}

#[test]
fn a_slot_that_was_left_is_taken_again_and_what_was_queued_for_it_does_nothing() {
    let mut engine = engine(TimeMode::Event);
    for round in 0..50 {
        let at = round * 1_000;
        let [old, new] = [format!("old{round}"), format!("new{round}")];
        play(
            &mut engine,
            at,
            &[(at, &old, "s"), (at + 1, &old, "erase"), (at + 1, &new, "s"), (at + 2, &new, "erase")],
        );
    }
    assert_eq!((engine.stats().customers, engine.customers.iter().count()), (0, 0));
    play(&mut engine, 60_000, &[(60_000, "ann", "s")]);
    assert_eq!(engine.customers.places(), 1, "one slot served them all");
    let fired = engine.stats().deadlines;
    assert_eq!(play(&mut engine, 86_400 * 30, &[]), ["ann vip.revoked"]);
    assert_eq!(engine.stats().deadlines - fired, 2, "ann's visit left the window, and her tenure ended");
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn whoever_is_erased_within_an_epoch_is_met_no_more_in_it() {
    let mut engine = engine(TimeMode::Event);
    let events = [(1, "ann", "s1"), (1, "ann", "erase"), (1, "ann", "s2"), (1, "bob", "s"), (1, "ann", "s3")];
    let said = play(&mut engine, 1, &events);
    let expected = ["ann vip.granted", "ann alert", "ann vip.revoked", "bob vip.granted", "bob alert"];
    assert_eq!(said, expected);
    assert_eq!((engine.stats().erased_events, engine.stats().customers), (2, 1));
}

#[test]
fn in_live_an_erasure_beyond_the_clock_is_applied_at_once() {
    let mut engine = engine(TimeMode::Live);
    // Ann's look waits for the clock, and then there is nobody left to look at.
    assert_eq!(play(&mut engine, 10, &[(20, "ann", "s1"), (30, "ann", "erase")]), Vec::<String>::new());
    assert_eq!(play(&mut engine, 60, &[(40, "ann", "s2"), (50, "bob", "s")]), ["bob vip.granted", "bob alert"]);
    assert_eq!((engine.stats().erasures, engine.stats().erased_events), (1, 1));
}

#[test]
fn who_was_erased_is_part_of_the_digest_and_survives_a_snapshot() {
    let mut erased = Erased::default();
    assert_eq!((erased.digest(), erased.newest), (0, None));
    for (id, at) in [("ann", 5), ("bob", 3)] {
        let before = erased.digest();
        erased.insert(&CustomerId::from(id), EventTime(at));
        assert_ne!(erased.digest(), before);
    }
    let again = Erased::decode(&erased.encode());
    assert_eq!((again.digest(), &again.order, again.newest), (erased.digest(), &erased.order, Some(EventTime(6))));
    assert!(again.contains(&CustomerId::from("bob")) && !again.contains(&CustomerId::from("cid")));
}

#[test]
fn each_erasure_moves_the_time_of_the_newest() {
    let mut engine = engine(TimeMode::Event);
    assert_eq!(engine.erased_at(), None);
    play(&mut engine, 9, &[(9, "ann", "erase"), (4, "bob", "erase")]);
    assert_eq!(engine.erased_at(), Some(EventTime(9_001)));
    play(&mut engine, 20, &[(19, "ann", "erase"), (20, "cid", "erase")]);
    assert_eq!(engine.erased_at(), Some(EventTime(20_000)), "erasing somebody twice is nothing new");
}
