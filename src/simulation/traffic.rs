//! Events from a seed: late, doubled, broken, too early, on the wrong partition, and under handles that customers name.

use std::time::Duration;

use prost::Message;

use super::world::World;
use crate::broker::Outgoing;
use crate::model::event::Kind;
use crate::model::murmur2;
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::support::dice::Dice;
use crate::task::relay::{ORIGIN, Origin, Place};

/// Rules whose windows end while a simulation lasts.
pub(super) const RULES: &str = "
ruleset: sim
currency: EUR
timezone: UTC
lateness: 1s
skip_grace: [refund]
features:
  spend_2m: { sum: purchase.amount, over: 2m }
  orders_1m: { count: purchase, over: 1m }
  bad_2m: { count: csat, where: 'satisfaction <= 0.4', over: 2m }
  posts_1m: { count: mention, over: 1m }
programmes:
  big_spender:
    profile: value
    grant: spend_2m >= 300
    keep: spend_2m >= 150
    tiers: { gold: spend_2m >= 600, silver: 'true' }
    tenure: 3s
    grace: 2s
  grievance: { profile: grievance, grant: bad_2m >= 2, keep: bad_2m >= 1 }
labels:
  busy: orders_1m >= 3
  loud: posts_1m >= 2
alerts:
  public_complaint: { on: mention, when: 'public && sentiment <= -0.4', severity: \"vip ? 'high' : 'normal'\", due: 15m }
";

/// What is sent to the inputs.
pub(super) struct Traffic {
    pub(super) inputs: Vec<(Kind, u32)>,
    pub(super) customers: usize,
    /// Its records lie where another partitioner puts them.
    pub(super) astray: Option<Kind>,
    /// Of a thousand, how many are no events.
    pub(super) broken: usize,
    pub(super) count: usize,
}

impl Traffic {
    /// Sends one record of about that time.
    pub(super) fn send(&mut self, world: &mut World, dice: &mut Dice, at: EventTime) {
        let (kind, partitions) = *dice.pick(&self.inputs);
        self.send_to(world, dice, at, kind, partitions);
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
        self.count += 1;
        let key = if kind.is_broadcast() { 'a' } else { 'c' };
        let customer = format!("{key}{}", dice.below(self.customers));
        let value = self.value(dice, kind, &customer, at);
        let home = murmur2::home(customer.as_bytes(), partitions);
        let sum: u32 = customer.bytes().map(u32::from).sum();
        let partition = if self.astray == Some(kind) { sum % partitions } else { home };
        Outgoing {
            topic: format!("{APP}.{}", kind.name()),
            partition: Some(partition),
            key: Some(customer.into_bytes()),
            value: Some(value.into_bytes()),
            headers: Vec::new(),
        }
    }

    fn value(&self, dice: &mut Dice, kind: Kind, customer: &str, now: EventTime) -> String {
        if dice.below(1_000) < self.broken {
            return r#"{"half": "#.to_owned();
        }
        // Mostly of now, some late, some ahead, a few so far ahead that they are refused, be it now and no longer a
        // moment later.
        let at = now.0
            + match dice.below(100) {
                0 => 299_000 + dice.number(0, 3_000),
                1..8 => -dice.number(0, 20_000),
                8..15 => dice.number(0, 1_500),
                _ => -dice.number(0, 300),
            };
        let number = self.count;
        let known = kind != Kind::Mention || dice.chance(50);
        let id = if known { format!(r#""customer_id":"{customer}","#) } else { String::new() };
        let common = format!(r#""event_id":"e{number}",{id}"occurred_at":{at}"#);
        let own = match kind {
            Kind::Agent => format!(r#""agent_id":"{customer}","version":{number},"state":"online""#),
            Kind::FxRate => r#""base":"USD","quote":"EUR","rate":"0.9","valid_on":"2025-06-15""#.to_owned(),
            Kind::Purchase => self.purchase(dice),
            Kind::Customer => self.profile(dice, customer),
            Kind::Csat => format!(r#""interaction_id":"i{number}","score":{},"scale_max":5"#, 1 + dice.below(5)),
            _ => {
                let score = dice.below(10);
                format!(
                    r#""platform":"x","handle":"h-{customer}","public":true,"text":"post {number}","sentiment":-0.{score}"#
                )
            }
        };
        format!("{{{common},{own}}}")
    }

    /// Names the customer's own handle, another's, both or none.
    fn profile(&self, dice: &mut Dice, customer: &str) -> String {
        let named = |name: &str| format!(r#"{{"platform":"x","handle":"h-{name}"}}"#);
        let own = dice.chance(70).then(|| named(customer));
        let other = dice.chance(20).then(|| named(&format!("c{}", dice.below(self.customers))));
        let handles: Vec<String> = own.into_iter().chain(other).collect();
        format!(r#""version":{},"handles":[{}]"#, self.count, handles.join(","))
    }

    fn purchase(&self, dice: &mut Dice) -> String {
        let order = if dice.chance(8) { self.count - dice.below(30).min(self.count) } else { self.count };
        let status = ["completed", "completed", "completed", "completed", "completed", "refunded", "cancelled"];
        let (status, amount) = (dice.pick(&status), 1 + dice.below(150));
        format!(r#""order_id":"o{order}","amount":"{amount}.50","currency":"EUR","status":"{status}""#)
    }
}

/// The name of the app that runs.
pub(super) const APP: &str = "sim";

/// Where a record written from outside says that it was: nothing else is there.
pub(super) const INTRUDER: u64 = 1_000_000;

/// Purchases are the first input of every plan.
const INTRUSION: &str = r#"{"event_id":"intruder","customer_id":"CUSTOMER","occurred_at":1750000000000,"order_id":"intruder","amount":"1000","currency":"EUR","status":"completed"}"#;
