//! `live` time, which a replay never shows: looks that wait for the clock, deadlines that time has passed over.

use std::sync::Arc;

use super::{Engine, Home, TimeMode};
use crate::codec::{RawRecord, decode};
use crate::model::event::Kind;
use crate::model::output::Output;
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: live
currency: EUR
lateness: 1m
skip_grace: [refund]
features:
  spend_30m: { sum: purchase.amount, over: 30m }
  spend: { sum: purchase.amount }
programmes:
  hot: { grant: spend_30m >= 100 }
  big: { grant: spend >= 500, grace: 1d }
alerts:
  vip_online: { on: presence, when: vip }
";

/// Midnight of 1 March 2025 UTC.
const START: i64 = 1_740_787_200_000;

struct Play {
    engine: Engine,
    said: Vec<String>,
}

impl Play {
    fn new() -> Self {
        let rules = Ruleset::parse("rules", RULES).expect("the rules are in order");
        Self { engine: Engine::new(Arc::new(rules), "live", TimeMode::Live, Home::ALONE), said: Vec::new() }
    }

    /// One epoch whose clock and wall stand at these minutes, with events at theirs.
    fn epoch(&mut self, clock: i64, wall: i64, events: &[(i64, Kind, &str)]) -> &mut Self {
        let records = events.iter().map(|(minute, kind, fields)| record(*minute, *kind, fields)).collect();
        let mut outputs = Vec::new();
        self.engine.apply(Epoch { records, clock: at(clock), wall: at(wall), ..Epoch::default() }, &mut outputs);
        self.said.extend(outputs.iter().filter_map(told));
        self
    }
}

fn at(minute: i64) -> EventTime {
    EventTime(START + minute * 60_000)
}

fn record(minute: i64, kind: Kind, fields: &str) -> Record {
    let json =
        format!("{{\"event_id\":\"e{minute}\",\"customer_id\":\"ann\",\"occurred_at\":{},{fields}}}", at(minute).0);
    let body = decode(kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
    assert!(body.is_ok(), "{body:?}");
    Record { position: Position { kind, partition: 0, offset: 0 }, merge_time: at(minute), body }
}

/// Decisions, alerts and dead letters; standings follow from them.
fn told(output: &Output) -> Option<String> {
    let minute = |time: EventTime| (time.0 - START) / 60_000;
    let told = match output {
        Output::Decision(it) => {
            let by = if it.trigger.is_some() { "event" } else { "time" };
            format!("{} {} {} by {by}", minute(it.occurred_at), it.change.type_name(), it.change.name())
        }
        Output::Alert(it) => format!("{} alert {}", minute(it.occurred_at), it.name),
        Output::Audit(it) => format!("{} {} {}", minute(it.occurred_at), it.decision, it.programme),
        Output::Status(_) | Output::Insight(_) | Output::Pivot(_) => return None,
        Output::DeadLetter(_, letter) => letter.code.name().to_owned(),
    };
    Some(told)
}

fn order(id: &str, amount: u32) -> String {
    format!("\"order_id\":\"{id}\",\"amount\":{amount},\"currency\":\"EUR\",\"status\":\"completed\"")
}

#[test]
fn a_look_waits_until_the_clock_reaches_the_event() {
    let mut play = Play::new();
    play.epoch(10, 20, &[(15, Kind::Purchase, &order("a", 600))]);
    assert_eq!(play.said, [""; 0], "the clock stands before the event");
    play.epoch(15, 21, &[]);
    assert_eq!(play.said, ["15 vip.granted hot by event", "15 vip.granted big by event"]);
}

#[test]
fn a_deadline_that_time_has_passed_over_waits_for_the_clock_too() {
    let mut play = Play::new();
    play.epoch(0, 0, &[(0, Kind::Purchase, &order("a", 100))]);
    // Presence touches nothing that a rule reads, but it moves her time past the order's exit at minute 30.
    let online = "\"session_id\":\"s\",\"state\":\"online\"";
    play.epoch(5, 40, &[(40, Kind::Presence, online)]);
    assert_eq!(play.said, ["0 vip.granted hot by event", "40 alert vip_online"]);
    play.epoch(40, 45, &[]);
    assert!(play.said.last().is_some_and(|said| said.starts_with("40 vip.revoked hot")), "{:?}", play.said);
}

#[test]
fn a_look_that_waits_is_not_lost_when_another_event_moves_time_on() {
    let mut play = Play::new();
    play.epoch(2, 2, &[(0, Kind::Purchase, &order("a", 100)), (1, Kind::Purchase, &order("b", 1))]);
    // Presence touches nothing that a rule reads, so it brings no look of its own.
    let online = "\"session_id\":\"s\",\"state\":\"online\"";
    play.epoch(10, 16, &[(15, Kind::Purchase, &order("c", 600)), (16, Kind::Presence, online)]);
    assert_eq!(play.said, ["0 vip.granted hot by event", "16 alert vip_online"]);
    play.epoch(15, 20, &[]);
    assert_eq!(play.said.len(), 2, "their time is minute 16");
    play.epoch(16, 20, &[]);
    assert_eq!(play.said[2..], ["16 vip.granted big by event"]);
}

#[test]
fn the_clock_in_one_step_decides_as_in_many() {
    let decide = |clocks: &[i64]| {
        let mut play = Play::new();
        play.epoch(0, 20, &[(10, Kind::Purchase, &order("a", 100))]);
        for clock in clocks {
            play.epoch(*clock, 200, &[]);
        }
        play.said
    };
    let expected = ["10 vip.granted hot by event", "40 vip.revoked hot by time"];
    assert_eq!(decide(&[10, 30, 41, 120]), expected);
    assert_eq!(decide(&[120]), expected);
}

#[test]
fn a_refund_that_waited_is_still_a_refund() {
    let mut play = Play::new();
    play.epoch(10, 10, &[(10, Kind::Purchase, &order("a", 600))]);
    let refund = "\"order_id\":\"a\",\"amount\":600,\"currency\":\"EUR\",\"status\":\"refunded\"";
    play.epoch(11, 20, &[(15, Kind::Purchase, refund)]);
    play.epoch(20, 20, &[]);
    assert_eq!(play.said[2..], ["15 vip.revoked hot by event", "15 vip.revoked big by event"], "grace is skipped");
}

#[test]
fn deadlines_wait_for_lateness() {
    let mut play = Play::new();
    play.epoch(0, 0, &[(0, Kind::Purchase, &order("a", 100))]);
    play.epoch(30, 30, &[]);
    assert_eq!(play.said.len(), 1, "due is a minute behind the clock");
    play.epoch(31, 31, &[]);
    assert_eq!(play.said.last().map(String::as_str), Some("30 vip.revoked hot by time"));
}

#[test]
fn an_alert_past_its_time_is_counted_and_not_sent() {
    let mut play = Play::new();
    let online = "\"session_id\":\"s\",\"state\":\"online\",\"ttl_s\":60";
    play.epoch(0, 0, &[(0, Kind::Purchase, &order("a", 600))]);
    play.epoch(1, 5, &[(1, Kind::Presence, online)]);
    assert_eq!(play.said.len(), 2, "{:?}", play.said);
    assert_eq!(play.engine.stats().stale_alerts, 1);
}

#[test]
fn what_is_about_no_customer_counts_and_makes_none() {
    let mut play = Play::new();
    let rate = "\"base\":\"USD\",\"quote\":\"EUR\",\"rate\":1,\"valid_on\":\"2025-03-01\"";
    let agent = "\"agent_id\":\"ann\",\"version\":1,\"state\":\"online\"";
    let account = "\"account_id\":\"ann\",\"version\":1";
    play.epoch(0, 0, &[(0, Kind::FxRate, rate), (0, Kind::Account, account), (0, Kind::Agent, agent)]);
    let stats = play.engine.stats();
    assert_eq!((stats.events, stats.customers, stats.erased_events, play.said.len()), (3, 0, 0, 0));
}
