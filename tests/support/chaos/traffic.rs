//! What happens while trouble lasts: events of now in the topics where they belong, some on the wrong partition.

use rdkafka::producer::BaseProducer;
use vipstream::model::event::Kind;
use vipstream::model::time::EventTime;

use super::events::{Sent, Shop};
use crate::support::dice::Dice;
use crate::support::topics;

/// The inputs, with as many partitions as they have.
pub(crate) const INPUTS: [(Kind, i32); 12] = [
    (Kind::Purchase, 5),
    (Kind::Csat, 3),
    (Kind::Mention, 7),
    (Kind::Erasure, 2),
    (Kind::Customer, 3),
    (Kind::Account, 2),
    (Kind::Referral, 4),
    (Kind::Case, 3),
    (Kind::FxRate, 2),
    (Kind::Agent, 1),
    (Kind::Override, 2),
    (Kind::Acknowledgement, 3),
];

/// Surveys are written with another partitioner than Kafka's Java client has.
const ASTRAY: Kind = Kind::Csat;

/// Makes events from a seed.
pub(crate) struct Traffic {
    pub(crate) dice: Dice,
    shop: Shop,
}

impl Traffic {
    pub(crate) fn new(seed: u64, customers: usize, app: &str) -> Self {
        Self { dice: Dice::new(seed), shop: Shop::new(customers, app) }
    }

    /// Sends one record of now.
    pub(crate) fn send(&mut self, producer: &BaseProducer, app: &str) {
        let (kind, partitions) = Shop::input(&mut self.dice, &INPUTS);
        let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_millis();
        let now = EventTime(i64::try_from(now).expect("a time of our time"));
        let Sent { key, value } = self.shop.event(&mut self.dice, kind, now);
        let sum: i32 = key.bytes().map(i32::from).sum();
        let partition = (kind == ASTRAY).then_some(sum % partitions);
        let topic = format!("{app}.{}", kind.name());
        topics::send(producer, &topic, partition, Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
    }
}
