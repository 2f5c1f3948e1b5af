//! Events from a seed, where they belong and astray, and what is written to the relay from outside.

use std::time::Duration;

use prost::Message;

use super::world::World;
use crate::broker::Outgoing;
use crate::model::event::Kind;
use crate::model::murmur2;
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::pivot::Observation;
use crate::pivot::state::State;
use crate::rules::ruleset::Ruleset;
use crate::support::dice::Dice;
use crate::support::events::{Sent, Shop};
use crate::task::relay::{ORIGIN, Origin, Place};

/// What is sent to the inputs.
pub(super) struct Traffic {
    pub(super) inputs: Vec<(Kind, u32)>,
    pub(super) shop: Shop,
    /// Its records lie where another partitioner puts them.
    pub(super) astray: Option<Kind>,
}

impl Traffic {
    /// Sends one record of about that time.
    pub(super) fn send(&mut self, world: &mut World, dice: &mut Dice, at: EventTime) {
        let (kind, partitions) = Shop::input(dice, &self.inputs);
        self.send_to(world, dice, at, kind, partitions);
    }

    /// Sends the orders of customers who came regularly and stay away soon after the start: as many as it takes until they are
    /// waited for.
    pub(super) fn send_regulars(&mut self, world: &mut World, dice: &mut Dice, start: EventTime, rules: &Ruleset) {
        let settings = &rules.pivots.as_ref().expect("rules with pivots").settings;
        let (kind, partitions) = self.inputs[0];
        for number in 0..dice.below(4) {
            let (mut state, mut at, mut visits) = (State::default(), start, Vec::new());
            while state.due().is_none() {
                at = at.plus(Duration::from_hours(25 + dice.number(0, 10).unsigned_abs()));
                visits.push(at);
                state.observe(Observation::Purchase { amount: None, shop: None }, at.0, settings, &mut Vec::new());
            }
            let due = start.0 + dice.number(0, 8_000);
            let earlier = state.due().expect("just looked at") - due;
            for (visit, at) in visits.into_iter().enumerate() {
                let (key, at) = (format!("r{number}"), at.0 - earlier);
                let value = format!(
                    r#"{{"event_id":"{key}-{visit}","customer_id":"{key}","occurred_at":{at},"order_id":"{key}-{visit}","amount":"60","currency":"EUR","status":"completed"}}"#
                );
                let record = Outgoing {
                    topic: format!("{APP}.{}", kind.name()),
                    partition: Some(murmur2::home(key.as_bytes(), partitions)),
                    key: Some(key.into_bytes()),
                    value: Some(value.into_bytes()),
                    headers: Vec::new(),
                };
                world.write(record, Duration::ZERO);
            }
        }
    }

    /// Sends a record to every partition.
    pub(super) fn send_to_all(&mut self, world: &mut World, dice: &mut Dice, at: EventTime) {
        for (kind, partitions) in self.inputs.clone() {
            for partition in 0..partitions {
                let mut record = self.record(dice, at, kind, partitions);
                record.partition = Some(partition);
                world.write(record, Duration::ZERO);
            }
        }
    }

    /// Writes a record to the relay where it is not at home, as if tasks had handed it on and on.
    pub(super) fn intrude(&mut self, world: &mut World, dice: &mut Dice, at: EventTime, tasks: u32) {
        let (kind, _) = self.inputs[0];
        let record = self.record(dice, at, kind, 1);
        let home = murmur2::home(record.key.as_deref().unwrap_or_default(), tasks);
        let position = Position { kind, partition: 0, offset: INTRUDER };
        let place = Place::of((at, position));
        let origin = Origin { source: home, place, timestamp_ms: Some(at.0), hops: 8 };
        let headers = vec![(ORIGIN.to_owned(), origin.encode_to_vec())];
        let intruder = Outgoing {
            topic: format!("{APP}.relay"),
            partition: Some((home + 1) % tasks),
            value: Some(
                INTRUSION
                    .replace("CUSTOMER", &String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()))
                    .into_bytes(),
            ),
            headers,
            ..record
        };
        world.write(intruder, Duration::ZERO);
    }

    fn send_to(&mut self, world: &mut World, dice: &mut Dice, at: EventTime, kind: Kind, partitions: u32) {
        let record = self.record(dice, at, kind, partitions);
        let ahead = if dice.chance(25) { dice.number(0, 20_000).unsigned_abs() } else { 0 };
        world.write(record, Duration::from_millis(ahead));
    }

    fn record(&mut self, dice: &mut Dice, at: EventTime, kind: Kind, partitions: u32) -> Outgoing {
        let Sent { key, value } = self.shop.event(dice, kind, at);
        let home = murmur2::home(key.as_bytes(), partitions);
        let sum: u32 = key.bytes().map(u32::from).sum();
        let partition = if self.astray == Some(kind) { sum % partitions } else { home };
        Outgoing {
            topic: format!("{APP}.{}", kind.name()),
            partition: Some(partition),
            key: Some(key.into_bytes()),
            value: value.map(String::into_bytes),
            headers: Vec::new(),
        }
    }
}

/// The name of the app that runs.
pub(super) const APP: &str = "sim";

/// Where a record written from outside says that it was: nothing else is there.
pub(super) const INTRUDER: u64 = 1_000_000;

/// Purchases are the first input of every plan.
const INTRUSION: &str = r#"{"event_id":"intruder","customer_id":"CUSTOMER","occurred_at":1750000000000,"order_id":"intruder","amount":"1000","currency":"EUR","status":"completed"}"#;
