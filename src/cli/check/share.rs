//! How much of an input will be handed over to other tasks: reckoned from the counts, and measured on what is there.

use crate::codec::{RawRecord, decode};
use crate::model::event::Kind;
use crate::model::murmur2::home;

/// The share of records that lie with another task than their customer's, where keys are customer ids spread by
/// murmur2.
///
/// A record with hash h lies on partition h mod n, hence with task (h mod n) mod P, and is at home with task h mod P.
/// Over the residues of h modulo lcm(n, P) each partition meets each residue mod P that agrees with it modulo
/// gcd(n, P), and lies at home with one of them: at home are n of lcm(n, P), which is gcd(n, P) of P.
fn reckoned(partitions: u32, tasks: u32) -> f64 {
    1.0 - f64::from(gcd(partitions, tasks)) / f64::from(tasks)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// An input as far as handing over goes.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) kind: Kind,
    pub(super) topic: String,
    pub(super) partitions: u32,
    /// Records there are, about.
    pub(super) records: u64,
    pub(super) sample: Sample,
}

impl Input {
    /// The share of its records that will be handed over; of what every task reads, none.
    pub(super) fn reckoned(&self, tasks: u32) -> f64 {
        if self.kind.is_broadcast() { 0.0 } else { reckoned(self.partitions, tasks) }
    }
}

/// The share over all inputs together, each by its records.
pub(super) fn overall(inputs: &[Input], tasks: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a weight need not be exact")]
    let weight = |input: &Input| input.records.max(1) as f64;
    let all: f64 = inputs.iter().map(weight).sum();
    inputs.iter().map(|input| input.reckoned(tasks) * weight(input) / all).sum()
}

/// Another number of tasks, near the one there is, with which clearly less is handed over; and how much then.
pub(super) fn better(inputs: &[Input], tasks: u32) -> Option<(u32, f64)> {
    let now = overall(inputs, tasks);
    let near = (tasks.div_ceil(2)..=tasks.saturating_mul(2)).filter(|count| *count != tasks);
    let rated = near.map(|count| (count, overall(inputs, count)));
    let best = rated.min_by(|(left, less), (right, more)| {
        less.total_cmp(more).then(left.abs_diff(tasks).cmp(&right.abs_diff(tasks))).then(right.cmp(left))
    });
    best.filter(|(_, share)| now - share >= WORTH_IT)
}

/// What the newest records of an input show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Records that have a home.
    pub(super) records: u32,
    /// Of these, those that lie with another task.
    pub(super) away: u32,
    /// Of these, those whose key is not the customer's id.
    pub(super) other_key: u32,
    /// Of these, those that do not lie where murmur2 of their key puts them.
    pub(super) spread_otherwise: u32,
    /// Records that would be dead letters.
    pub(super) refused: u32,
}

impl Sample {
    /// Takes in a record of a partition.
    pub(super) fn add(&mut self, kind: Kind, (partition, partitions): (u32, u32), tasks: u32, raw: &RawRecord<'_>) {
        let Ok(event) = decode(kind, raw) else {
            self.refused += 1;
            return;
        };
        let entity = event.entity();
        let key = raw.key.unwrap_or_default();
        self.records += 1;
        if kind.is_broadcast() {
            return;
        }
        self.away += u32::from(home(entity.as_bytes(), tasks) != partition % tasks);
        self.other_key += u32::from(key != entity.as_bytes());
        self.spread_otherwise += u32::from(home(key, partitions) != partition);
    }

    /// The share that lies with another task; `None` where nothing is known.
    pub(super) fn away(&self) -> Option<f64> {
        (self.records > 0).then(|| f64::from(self.away) / f64::from(self.records))
    }

    /// Why clearly more is handed over than with right keys, and the remedy; `None` where it is not so.
    pub(super) fn fault(&self, reckoned: f64, whose: &str) -> Option<String> {
        if self.records < ENOUGH || self.away()? - reckoned < WORTH_IT {
            return None;
        }
        let Self { records, other_key, spread_otherwise, .. } = self;
        Some(if *other_key > records / 10 {
            format!(
                "the key of {other_key} of them is not the {whose}'s id: key by {whose} id, spread by murmur2 (the \
                 Java client's default; partitioner=murmur2_random in librdkafka)"
            )
        } else {
            format!(
                "{spread_otherwise} of them lie on another partition than murmur2 of their key says: use the Java \
                 client's default partitioner (partitioner=murmur2_random in librdkafka)"
            )
        })
    }
}

/// At whose home the records of an input are.
pub(super) const fn whose(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Account) { "account" } else { "customer" }
}

/// A difference in the share that is worth a word.
const WORTH_IT: f64 = 0.05;

/// Records that must have been seen before a sample says anything.
const ENOUGH: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn input(partitions: u32, records: u64) -> Input {
        Input { kind: Kind::Purchase, topic: "t".to_owned(), partitions, records, sample: Sample::default() }
    }

    #[test]
    fn the_share_is_that_over_all_residues() {
        for (partitions, tasks) in (1..=12).flat_map(|n| (1..=12).map(move |p| (n, p))) {
            let all = partitions * tasks / gcd(partitions, tasks);
            let away: u32 = (0..all).map(|hash| u32::from((hash % partitions) % tasks != hash % tasks)).sum();
            let slowly = f64::from(away) / f64::from(all);
            assert!((reckoned(partitions, tasks) - slowly).abs() < 1e-12, "{partitions} over {tasks}: {slowly}");
        }
    }

    #[test]
    fn a_better_number_of_tasks_is_found_nearby() {
        assert_eq!(better(&[input(6, 10), input(3, 10)], 4), Some((3, 0.0)));
        assert_eq!(better(&[input(8, 10)], 4), None, "nothing is better than nothing");
        assert_eq!(better(&[input(7, 1_000_000), input(4, 10)], 4).unwrap().0, 7, "by the records there are");
    }

    #[test]
    fn a_sample_tells_a_wrong_key_from_a_wrong_spread() {
        let value = br#"{"event_id":"e","customer_id":"ann","occurred_at":"2025-03-01T10:00:00Z","order_id":"o","amount":"6","currency":"EUR","status":"completed"}"#;
        let (right, tasks) = (home(b"ann", 4), 4);
        let sample = |key: &[u8], partition: u32| {
            let mut sample = Sample::default();
            let raw = RawRecord { key: Some(key), value: Some(value), ..RawRecord::default() };
            for _ in 0..100 {
                sample.add(Kind::Purchase, (partition, 4), tasks, &raw);
            }
            sample
        };
        assert_eq!(sample(b"ann", right).fault(0.0, "customer"), None);
        let other = sample(b"ann", (right + 1) % 4).fault(0.0, "customer").unwrap();
        assert!(other.starts_with("100 of them lie on another partition"), "{other}");
        let key = sample(b"order", (right + 1) % 4).fault(0.0, "customer").unwrap();
        assert!(key.starts_with("the key of 100 of them is not the customer's id"), "{key}");
    }

    #[test]
    fn of_what_every_task_reads_nothing_is_handed_over() {
        let (agents, orders) = (Input { kind: Kind::Agent, ..input(3, 100) }, input(3, 100));
        assert!(orders.reckoned(2) > 0.4 && agents.reckoned(2) < 1e-12);
        assert!((overall(&[agents, orders.clone()], 2) - orders.reckoned(2) / 2.0).abs() < 1e-12);
        let value =
            br#"{"event_id":"e","occurred_at":"2025-03-01T10:00:00Z","agent_id":"a1","version":1,"state":"away"}"#;
        let mut sample = Sample::default();
        let raw = RawRecord { key: Some(b"a1"), value: Some(value), ..RawRecord::default() };
        (0..100).for_each(|partition| sample.add(Kind::Agent, (partition % 3, 3), 2, &raw));
        assert_eq!((sample.away(), sample.fault(0.0, "customer")), (Some(0.0), None));
    }

    #[test]
    fn what_cannot_be_used_has_no_home() {
        let mut sample = Sample::default();
        sample.add(Kind::Purchase, (0, 1), 1, &RawRecord { value: Some(b"no json"), ..RawRecord::default() });
        assert_eq!(sample, Sample { refused: 1, ..Sample::default() });
        assert_eq!(sample.away(), None);
    }
}
