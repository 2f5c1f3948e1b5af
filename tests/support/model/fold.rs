//! The fold over journaled epochs: what one task must have said, given what it took and when.
//!
//! Make a [`Fold`] a task and give it the task's epochs in order, the first (without records) included or not. What
//! it says of an epoch is what a committed reader finds, customer by customer in that order. Only `decided_at`
//! depends on more than the arguments: an epoch fires at most 10,000 deadlines of others, so in a greater wave the
//! task decides some in a later epoch than the fold does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use compact_str::CompactString;
use serde_json::json;

use vipstream::model::effect;
use vipstream::model::event::{Body, Event, Kind};
use vipstream::model::id::{CustomerId, EntityKind};
use vipstream::model::murmur2;
use vipstream::model::record::{Code, Position};
use vipstream::model::settle;
use vipstream::model::time::EventTime;
use vipstream::pivot;

use super::budget::{Ruling, Stand, What, height};
use super::customer::Entity;
use super::decode;
use super::effects::{Does, Effect};
use super::lines::{Line, Topics};
pub use super::look::Mode;
use super::look::Run;
use super::population::{Becomes, Mark};
use super::routing::Agents;
use super::rules::Ruleset;
use super::settlement::Report;
pub use super::walk::Counts;
use super::walk::{Found, Record, Walk};

/// What all epochs of a task share.
pub struct Setup<'a> {
    pub ruleset: &'a str,
    /// The ruleset's hash, as outputs name it.
    pub hash: &'a str,
    pub app: &'a str,
    pub mode: Mode,
    /// The topic of each input that is read.
    pub topics: BTreeMap<Kind, String>,
    /// Which task, of how many.
    pub task: u32,
    pub tasks: u32,
}

/// One epoch as its journal record and the inputs tell it. The order of the records is free.
#[derive(Clone, Debug, Default)]
pub struct Epoch {
    /// What other tasks' entities have done to some here, in the order in which it came.
    pub effects: Vec<Passed>,
    pub records: Vec<Taken>,
    pub clock: EventTime,
    pub wall: EventTime,
}

/// One record as it lies in its topic, and how the task came by it.
#[derive(Clone, Debug)]
pub struct Taken {
    pub position: Position,
    pub key: Option<Vec<u8>>,
    /// Plain JSON; `None` for a null value: a tombstone, where the record is a customer's.
    pub value: Option<Vec<u8>>,
    /// Kafka's: a tombstone has no other time.
    pub timestamp: Option<EventTime>,
    pub how: How,
}

/// How a task came by a record, where the record can be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Read from its partition and applied.
    Read,
    /// Read, and refused as early, as the journal says.
    Early,
    /// Read, and handed over to the task where it is at home: it moves its partition's time, and no more.
    Relayed,
    /// Handed over by another task, with its place in the merge; it moves no partition's time here.
    HandedOver { merge_time: EventTime },
}

/// What an epoch says, each topic in order.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub events: Vec<Sent>,
    pub alerts: Vec<Sent>,
    pub statuses: Vec<Sent>,
    pub audits: Vec<Sent>,
    pub insights: Vec<Sent>,
    pub pivots: Vec<Sent>,
    pub dead_letters: Vec<(Position, Code)>,
    /// What its entities do to some at home with another task: which, and what.
    pub passed: Vec<(u32, Passed)>,
}

/// What an entity does to another, which is at home with another task.
#[derive(Clone, Debug)]
pub struct Passed(Effect);

impl Passed {
    /// Whether it is what a task wrote down.
    pub fn is(&self, written: &effect::Effect) -> bool {
        let Effect { to, from, number, at, hops, origin, does } = &self.0;
        let origin_is = match (origin, &written.origin) {
            (Some((event, position)), Some(origin)) => {
                (&event.event_id, *position, event.kind()) == (&origin.event_id, origin.position, origin.kind)
            }
            (origin, written) => origin.is_none() && written.is_none(),
        };
        let does_it = match (does, &written.does) {
            (Does::Bring(event, position), effect::Does::Bring(brought, place)) => {
                (event, position) == (brought, place)
            }
            (Does::Claim, effect::Does::Claim)
            | (Does::Release, effect::Does::Release)
            | (Does::Join, effect::Does::Join)
            | (Does::Leave, effect::Does::Leave)
            | (Does::Cut, effect::Does::Cut)
            | (Does::Unrefer(_), effect::Does::Unrefer { .. })
            // What is carried lies there in a form of the engine's; what comes of it shows.
            | (Does::Absorb(_), effect::Does::Absorb(_))
            | (Does::RollUp(_), effect::Does::RollUp(_))
            | (Does::Account(_), effect::Does::Account(_)) => true,
            (Does::Report(report), effect::Does::Report(written)) => is_report(report, written),
            (Does::Reached(at), effect::Does::Reached(written))
            | (Does::Refer(_, at, _), effect::Does::Refer { at: written, .. }) => at == written,
            (Does::Verdict(ruling), effect::Does::Verdict(written)) => is_ruling(ruling, written),
            (Does::Cuts(at, values), effect::Does::Cuts { settled_at, values: written }) => {
                let mut values: Vec<_> = values.values().collect();
                let mut all: Vec<_> = written.iter().flatten().collect();
                values.sort();
                all.sort();
                at == settled_at && values == all
            }
            (Does::Shifts(at, turns), effect::Does::Shifts { settled_at, turns: written }) => {
                let same = |((mark, becomes), turn): (&(Mark, Becomes), &settle::Turn)| {
                    let is_it = match (becomes, turn.becomes) {
                        (Becomes::Over(until), settle::Becomes::Over { until: written }) => *until == written,
                        (becomes, written) => {
                            (*becomes == Becomes::Shift, *becomes == Becomes::Suspected)
                                == (written == settle::Becomes::Shift, written == settle::Becomes::Suspected)
                        }
                    };
                    place(*mark) == turn.mark && is_it
                };
                at == settled_at && turns.len() == written.len() && turns.iter().zip(written).all(same)
            }
            (Does::Forgotten(entity), effect::Does::Forgotten { who }) => names(entity, who),
            (Does::Part(entity, all), effect::Does::Part { who, names: written }) => {
                names(entity, who) && all.len() == written.len()
            }
            (
                Does::Credit(buyer, orders, lost, back),
                effect::Does::Credit { buyer: id, orders: written, instead, refund },
            ) => (buyer.key(), orders.len(), lost.len(), back) == (id.text(), written.len(), instead.len(), refund),
            (Does::Except(_, told), effect::Does::Except { exception, .. }) => told.is_some() == exception.is_some(),
            (Does::Uncredit(orders), effect::Does::Uncredit { orders: written }) => orders.len() == written.len(),
            (
                Does::Resolved { agent, cases, well, .. },
                effect::Does::Resolved { agent: name, cases: all, well: liked, .. },
            ) => (agent.as_str(), *cases, *well) == (name.as_str(), i64::from(*all), i64::from(*liked)),
            _ => false,
        };
        let (count, hops) = ((*number, *at, *hops), (written.number, written.at, u32::from(written.hops)));
        names(to, &written.to) && names(from, &written.from) && count == hops && origin_is && does_it
    }
}

fn names(entity: &Entity, id: &CustomerId) -> bool {
    let kind = match entity {
        Entity::Author(_) => EntityKind::Author,
        Entity::Account(_) => EntityKind::Account,
        Entity::Customer(_) => EntityKind::Customer,
        Entity::Everybody => return id.kind() == EntityKind::EveryTask,
        Entity::Exception(_) => EntityKind::Exception,
        Entity::Settler(_) => EntityKind::Settler,
        Entity::Task(_) => EntityKind::Task,
    };
    (kind, entity.key()) == (id.kind(), id.text())
}

/// Where a mark stands among all.
fn place((is_engagement, kind): Mark) -> u8 {
    let kinds = pivot::Kind::ALL;
    let place = kinds.iter().position(|it| *it == kind).filter(|_| !is_engagement).unwrap_or(kinds.len());
    u8::try_from(place).expect("few")
}

fn is_report(report: &Report, written: &settle::Report) -> bool {
    let both = report.entries.iter().zip(&written.entries);
    let are_same = |((who, at, stand), written): (&(Entity, usize, Option<Stand>), &settle::Entry)| {
        let stands = stand.as_ref().zip(written.standing.as_ref());
        let is_as_written = |(stand, written): (&Stand, &settle::Standing)| {
            let ours = (stand.is_member, stand.since, height(stand.rank.as_ref()), stand.group.as_str());
            ours == (written.is_member, written.since, written.rank, written.group.as_str())
        };
        let is_same = stand.is_some() == written.standing.is_some() && stands.is_none_or(is_as_written);
        names(who, &written.id) && *at == usize::from(written.programme) && is_same
    };
    let turned = written.turned.iter().map(|(mark, count)| (*mark, u64::from(*count)));
    let numbers = (report.at, report.entries.len(), report.active, report.on_shift.is_some());
    numbers == (written.at, written.entries.len(), written.active, written.on_shift.is_some())
        && report.turned.iter().map(|(mark, count)| (place(*mark), *count)).eq(turned)
        && (report.measured.is_some(), report.members) == (written.measured.is_some(), written.members)
        && both.clone().all(are_same)
}

fn is_ruling(ruling: &Ruling, written: &settle::Verdict) -> bool {
    let what = match ruling.what {
        What::Grant => settle::Ruling::Grant,
        What::Wait => settle::Ruling::Wait,
        What::Displace => settle::Ruling::Displace,
    };
    let rank = settle::Rank {
        place: u32::try_from(ruling.rank).expect("few"),
        places: ruling.places,
        value: height(ruling.value.as_ref()),
        cut: height(ruling.cut.as_ref()),
    };
    (ruling.programme, what, ruling.since, ruling.settled_at, rank)
        == (usize::from(written.programme), written.ruling, written.since, written.settled_at, written.rank)
}

/// A record of an output topic: its key, and its value as JSON. Of a null value, the line that a file has in its place:
/// see [`null_status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub key: String,
    pub value: String,
}

impl Said {
    /// The topics of records, by the names that configurations have for them.
    pub fn topics(self) -> [(&'static str, Vec<Sent>); 6] {
        let Self { events, alerts, statuses, audits, insights, pivots, .. } = self;
        [
            ("events", events),
            ("alerts", alerts),
            ("status", statuses),
            ("audit", audits),
            ("insights", insights),
            ("pivots", pivots),
        ]
    }
}

/// What a null under a key in `vip.status` says.
pub fn null_status(key: &str) -> String {
    json!({ "type": "status", "customer_id": key, "status": null }).to_string()
}

/// Each with its place among those of its key: in whichever order they are compared, those of a key are in theirs.
pub fn numbered(sent: Vec<Sent>) -> Vec<String> {
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    let lines = sent.into_iter().map(|Sent { key, value }| {
        let number = numbers.entry(key).or_default();
        *number += 1;
        format!("{number} {value}")
    });
    lines.collect()
}

/// Each customer's decisions are 1, 2, 3, ...
///
/// # Panics
/// Where one is missing or comes twice.
pub fn assert_sequences(sent: &[Sent]) {
    let mut sequence: BTreeMap<&str, u64> = BTreeMap::new();
    for Sent { key, value } in sent {
        let json: serde_json::Value = serde_json::from_str(value).expect("JSON");
        let number = json["status_seq"].as_u64().expect("a number");
        assert_eq!(sequence.insert(key, number).unwrap_or_default() + 1, number, "{value}");
    }
}

/// One task's state, from its first epoch on.
pub struct Fold {
    walk: Walk,
    /// Greatest event time so far, by partition.
    reached: BTreeMap<(Kind, u32), EventTime>,
}

impl Fold {
    /// A task that has read nothing.
    pub fn new(setup: Setup<'_>) -> Self {
        let run = Run {
            rules: Ruleset::read(setup.ruleset),
            hash: setup.hash.to_owned(),
            app: setup.app.to_owned(),
            mode: setup.mode,
            topics: Topics(setup.topics),
            wall: EventTime::MIN,
            agents: Agents::default(),
            turned: RefCell::default(),
            replay: None,
        };
        Self { walk: Walk::new(run, (setup.task, setup.tasks)), reached: BTreeMap::new() }
    }

    /// Applies the next epoch.
    pub fn apply(&mut self, epoch: Epoch) -> Said {
        let mut taken = epoch.records;
        taken.sort_by_key(|taken| taken.position);
        let records = taken.iter().filter_map(|taken| self.record(taken)).collect();
        let effects = epoch.effects.into_iter().map(|passed| passed.0).collect();
        self.walk.epoch(effects, records, epoch.clock, epoch.wall);
        let Found { events, alerts, statuses, audits, insights, pivots, refused, passed } =
            std::mem::take(&mut self.walk.found);
        let [events, alerts, statuses, audits, insights, pivots] =
            [events, alerts, statuses, audits, insights, pivots].map(sent);
        let passed = passed.into_iter().map(|(task, effect)| (task, Passed(effect))).collect();
        Said { events, alerts, statuses, audits, insights, pivots, dead_letters: refused, passed }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.walk.counts
    }

    /// Reads a record and gives it its place in the merge; `None` where it is applied elsewhere.
    fn record(&mut self, taken: &Taken) -> Option<Record> {
        let position = taken.position;
        let body = read(taken);
        if let How::HandedOver { merge_time } = taken.how {
            return Some(Record { merge_time, position, body });
        }
        let body = if taken.how == How::Early { body.and(Err(Code::Early)) } else { body };
        let reached = self.reached.entry((position.kind, position.partition)).or_insert(EventTime::MIN);
        if let Ok(event) = &body {
            *reached = (*reached).max(event.at);
        }
        let is_elsewhere = taken.how == How::Relayed && body.is_ok();
        (!is_elsewhere).then_some(Record { merge_time: *reached, position, body })
    }
}

/// The task, of so many, where a record is at home; `None` where it cannot be read, or every task reads it: then it
/// stays where it lies.
pub fn home_of(taken: &Taken, tasks: u32) -> Option<u32> {
    let event = read(taken).ok()?;
    let key = match &event.body {
        Body::FxRate(_) | Body::Agent(_) | Body::ForgetAgent(_) => return None,
        Body::Account(account) => account.account_id.to_string(),
        Body::ForgetAccount(id) => id.to_string(),
        _ => Entity::of(&event)?.key().to_owned(),
    };
    Some(murmur2::home(key.as_bytes(), tasks))
}

/// Of one partition's records, those before its merge time passes `until`.
pub fn up_to(records: impl Iterator<Item = Taken>, until: EventTime) -> impl Iterator<Item = Taken> {
    let mut reached = EventTime::MIN;
    records.take_while(move |taken| {
        reached = read(taken).map_or(reached, |event| reached.max(event.at));
        reached <= until
    })
}

fn read(taken: &Taken) -> Result<Event, Code> {
    match &taken.value {
        Some(value) => decode::decode(taken.position.kind, value),
        None => tombstone(taken),
    }
}

/// A customer, account or agent record without value: its key says what is to be forgotten.
fn tombstone(taken: &Taken) -> Result<Event, Code> {
    let kind = taken.position.kind;
    let may_be_null = matches!(kind, Kind::Customer | Kind::Account | Kind::Agent);
    let key = taken.key.as_ref().filter(|key| may_be_null && !key.is_empty());
    let id = std::str::from_utf8(key.ok_or(Code::NullValue)?).map_err(|_| Code::InvalidUtf8)?;
    decode::check_id(id)?;
    let at = taken.timestamp.unwrap_or(EventTime::MIN);
    if at < EventTime::MIN || at > EventTime::MAX {
        return Err(Code::BadTime);
    }
    let id = CompactString::new(id);
    let (customer, body) = match kind {
        Kind::Account => (None, Body::ForgetAccount(id.clone())),
        Kind::Agent => (None, Body::ForgetAgent(id.clone())),
        _ => (Some(CustomerId(id.clone())), Body::Forget),
    };
    Ok(Event { event_id: id, customer, at, body, unknown_values: 0 })
}

fn sent(lines: Vec<Line>) -> Vec<Sent> {
    let is_null = |line: &Line| line.text.ends_with(r#","status":null}"#);
    let value = |line: &Line| if is_null(line) { null_status(&line.key) } else { line.text.clone() };
    lines.into_iter().map(|line| Sent { value: value(&line), key: line.key }).collect()
}
