//! What the service is compared with, made of the same primitives: reading, decoding, and passing records through in
//! transactions without deciding anything.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vipstream::broker::group::KafkaGroup;
use vipstream::broker::kafka::Kafka;
use vipstream::broker::{Broker, Fetched, Outgoing, Partition};
use vipstream::codec::{RawRecord, decode};
use vipstream::config::Config;

use crate::shop::{Shop, TASKS};

/// Reads everything with a thread a task; says how many records there were.
pub fn read(shop: &Shop, decoding: bool) -> u64 {
    let group = KafkaGroup::join(&passing(shop)).expect("a member");
    each_task(|task| {
        let (mut broker, mut open) = opened(shop, &group, task);
        let mut count = 0;
        while !open.is_empty() {
            let sink = &mut |partition: Partition, fetched: Fetched<'_>| match fetched {
                Fetched::Record { raw, .. } => {
                    count += 1;
                    if decoding {
                        let _ = black_box(decode(kind_of(partition), &raw));
                    }
                }
                Fetched::AtEnd(_) => {
                    open.remove(&partition);
                }
                Fetched::Lost => {}
            };
            broker.fetch(WAIT, BATCH, sink).expect("the broker answers");
        }
        count
    })
}

/// Which records a pass-through writes again.
#[derive(Clone, Copy)]
pub enum Share {
    /// Every so many.
    OneIn(u64),
    /// Those of this input.
    Of(vipstream::model::event::Kind),
}

/// Passes records through until everything is read, or until told to stop.
pub fn pass(shop: &Shop, share: Share, linger: Duration, stop: Option<&AtomicBool>) -> u64 {
    let group = KafkaGroup::join(&passing(shop)).expect("a member");
    each_task(|task| {
        let (mut broker, mut open) = opened(shop, &group, task);
        broker.init().expect("a transactional producer");
        let mut passing = Passing { topic: shop.topic("through"), share, ..Passing::default() };
        while !open.is_empty() || stop.is_some() {
            let wait = passing.opened.map_or(WAIT, |opened| linger.saturating_sub(opened.elapsed()));
            let sink = &mut |partition: Partition, fetched: Fetched<'_>| match fetched {
                Fetched::Record { offset, raw } => passing.take(partition, offset, &raw),
                Fetched::AtEnd(_) => {
                    open.remove(&partition);
                }
                Fetched::Lost => {}
            };
            broker.fetch(wait, BATCH, sink).expect("the broker answers");
            let full = passing.pending >= BATCH || (open.is_empty() && stop.is_none());
            if passing.opened.is_some_and(|opened| full || opened.elapsed() >= linger) {
                passing.commit(&mut broker);
            }
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                break;
            }
        }
        passing.count
    })
}

impl Default for Share {
    fn default() -> Self {
        Self::OneIn(u64::MAX)
    }
}

/// One task's transaction as it grows.
#[derive(Default)]
struct Passing {
    topic: String,
    share: Share,
    outgoing: Vec<Outgoing>,
    positions: BTreeMap<Partition, u64>,
    opened: Option<Instant>,
    pending: usize,
    count: u64,
}

impl Passing {
    fn take(&mut self, partition: Partition, offset: u64, raw: &RawRecord<'_>) {
        self.opened.get_or_insert_with(Instant::now);
        self.positions.insert(partition, offset + 1);
        self.pending += 1;
        self.count += 1;
        let passes = match self.share {
            Share::OneIn(many) => self.count.is_multiple_of(many),
            Share::Of(kind) => kind_of(partition) == kind,
        };
        if passes {
            self.outgoing.push(Outgoing {
                topic: self.topic.clone(),
                partition: None,
                key: raw.key.map(<[u8]>::to_vec),
                value: raw.value.map(<[u8]>::to_vec),
                headers: Vec::new(),
            });
        }
    }

    fn commit(&mut self, broker: &mut Kafka) {
        broker.begin().expect("a transaction");
        for record in self.outgoing.drain(..) {
            broker.produce(&record).expect("room for a record");
        }
        broker.offsets(&self.positions, "").expect("positions are taken");
        broker.commit().expect("a commit");
        (self.opened, self.pending) = (None, 0);
    }
}

fn each_task(work: impl Fn(u32) -> u64 + Sync) -> u64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..TASKS)
            .map(|task| {
                scope.spawn({
                    let work = &work;
                    move || work(task)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends well")).sum()
    })
}

/// Another app on the same inputs.
fn passing(shop: &Shop) -> Config {
    shop.config(&format!("{}-passing", shop.app), "")
}

/// A task's connection that reads its partitions from their beginnings.
fn opened(shop: &Shop, group: &KafkaGroup, task: u32) -> (Kafka, BTreeMap<Partition, u64>) {
    let config = passing(shop);
    let mut broker = Kafka::open(&config, task, group.member()).expect("a connection");
    let positions: BTreeMap<Partition, u64> = shop.partitions(task).into_iter().map(|it| (it, 0)).collect();
    broker.read_from(&positions).expect("positions to read from");
    (broker, positions)
}

fn kind_of(partition: Partition) -> vipstream::model::event::Kind {
    match partition {
        Partition::Input(kind, _) => kind,
        Partition::Relay => unreachable!("only inputs are read here"),
    }
}

const WAIT: Duration = Duration::from_millis(100);

/// Records of a fetch and of a transaction: an epoch's default.
const BATCH: usize = 10_000;
