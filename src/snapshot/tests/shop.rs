//! A task that takes snapshots of a small shop.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::memory::{Disk, Fault};
use crate::clock::{self, virtual_time::Time};
use crate::codec::{RawRecord, decode};
use crate::engine::{Engine, Home, TimeMode};
use crate::model::event::Kind;
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::restore::Search;
use crate::snapshot::shelf::Shelf;
use crate::snapshot::store::Store;
use crate::snapshot::{Pace, Published, SnapshotError, Snapshots};

pub(super) const APP: &str = "shop";
pub(super) const CUSTOMERS: u64 = 40;

pub(super) fn rules() -> Arc<Ruleset> {
    let text = "
ruleset: shop
currency: EUR
features: { spend_30d: { sum: purchase.amount, over: 30d }, orders: { count: purchase } }
programmes: { big: { profile: value, grant: spend_30d >= 100 } }
labels: { known: orders >= 1 }";
    Arc::new(Ruleset::parse("rules.yaml", text).unwrap())
}

/// A clock that a test moves.
struct Still(Mutex<Duration>, Instant);

impl Time for Still {
    fn wall(&self) -> EventTime {
        EventTime(1_700_000_000_000 + i64::try_from(self.0.lock().unwrap().as_millis()).unwrap())
    }

    fn now(&self) -> Instant {
        self.1 + *self.0.lock().unwrap()
    }

    fn sleep(&self, span: Duration) {
        *self.0.lock().unwrap() += span;
    }

    fn spawn(&self, name: String, body: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
        std::thread::Builder::new().name(name).spawn(body).unwrap()
    }
}

/// A task with its engine and its snapshots, in a time that only [`Shop::wait`] moves.
pub(super) struct Shop {
    pub(super) engine: Engine,
    pub(super) snapshots: Snapshots,
    pub(super) epoch: u64,
}

impl Shop {
    pub(super) fn open(disk: &Disk, fault: Fault) -> Self {
        Self::open_with(disk.store(fault), 2)
    }

    pub(super) fn open_with(store: Box<dyn Store>, keep: u32) -> Self {
        clock::virtual_time::enter(Some(Arc::new(Still(Mutex::default(), clock::now()))));
        let engine = Engine::new(rules(), APP, TimeMode::Event, Home::ALONE);
        let snapshots = Snapshots::new(store, APP, 0, Pace { every: EVERY, keep });
        Self { engine, snapshots, epoch: 0 }
    }

    /// Works up to an epoch, one at a time: the same epoch always gives the same state.
    pub(super) fn work(&mut self, until: u64) -> &mut Self {
        while self.epoch < until {
            self.epoch += 1;
            let records = (0..CUSTOMERS).map(|customer| purchase(customer, self.epoch)).collect();
            let clock = at(self.epoch);
            self.engine.apply(Epoch { records, clock, wall: clock, ..Epoch::default() }, &mut Vec::new());
            self.snapshots.note_epoch();
        }
        self
    }

    /// Erases a customer, in an epoch of its own.
    pub(super) fn erase(&mut self) {
        self.epoch += 1;
        let clock = at(self.epoch);
        let json = format!(r#"{{"event_id":"x","customer_id":"c-1","occurred_at":{},"request_id":"r"}}"#, clock.0);
        let body = decode(Kind::Erasure, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
        assert!(body.is_ok(), "{body:?}");
        let position = Position { kind: Kind::Erasure, partition: 0, offset: 0 };
        let records = vec![Record { position, merge_time: clock, body }];
        self.engine.apply(Epoch { records, clock, wall: clock, ..Epoch::default() }, &mut Vec::new());
        self.snapshots.note_epoch();
    }

    pub(super) fn manifest(&self) -> Manifest {
        Manifest {
            app: APP.to_owned(),
            epoch: self.epoch,
            tasks: 1,
            ruleset: rules().hash().to_owned(),
            ruleset_text: rules().text().to_owned(),
            created_ms: clock::wall().0,
            ..Manifest::default()
        }
    }

    /// Takes a snapshot, as far as it comes, and does what is left to be deleted.
    pub(super) fn snapshot(&mut self) -> Option<Published> {
        let manifest = self.manifest();
        self.snapshots.begin(manifest, &mut self.engine);
        self.advance()
    }

    pub(super) fn advance(&mut self) -> Option<Published> {
        let mut published = None;
        for _ in 0..200 {
            published = self.snapshots.advance(&mut self.engine).or(published);
        }
        published
    }
}

/// The newest snapshot that can be restored.
fn restored(store: Box<dyn Store>) -> Result<Search, SnapshotError> {
    let mut under = |manifest: &Manifest| {
        let is_same = manifest.ruleset == rules().hash();
        if is_same { Ok((rules(), TimeMode::Event)) } else { Err(format!("taken under ruleset {}", manifest.ruleset)) }
    };
    Shelf::new(store, APP, 0).newest_restorable(&mut under, &mut |_, _| {})
}

/// The same as text, the state compared with what it was at that epoch.
pub(super) fn outcome(disk: &Disk, fault: Fault) -> String {
    outcome_of(disk.store(fault))
}

pub(super) fn outcome_of(store: Box<dyn Store>) -> String {
    match restored(store) {
        Err(error) => format!("refused: {error}"),
        Ok(Search { found, passed_over }) => {
            let found = found.map_or("nothing".to_owned(), |(manifest, engine)| {
                let mut shop = Shop::open(&Disk::default(), Fault::None);
                shop.work(manifest.epoch);
                assert_eq!(engine.digest(), shop.engine.digest(), "the state of epoch {}", manifest.epoch);
                assert_eq!(engine.clock(), shop.engine.clock());
                format!("epoch {}", manifest.epoch)
            });
            let passed = passed_over.iter().map(|(epoch, reason)| format!("\n    not {epoch}: {reason}"));
            found + &passed.collect::<String>()
        }
    }
}

fn at(epoch: u64) -> EventTime {
    EventTime(1_740_787_200_000 + i64::try_from(epoch).unwrap() * 60_000)
}

fn purchase(customer: u64, epoch: u64) -> Record {
    let json = format!(
        r#"{{"event_id":"e-{customer}-{epoch}","customer_id":"c-{customer}","occurred_at":{},"order_id":"o-{customer}-{epoch}","amount":{epoch}.50,"currency":"EUR","status":"completed"}}"#,
        at(epoch).0
    );
    let body = decode(Kind::Purchase, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
    assert!(body.is_ok(), "{body:?}");
    Record {
        position: Position { kind: Kind::Purchase, partition: 0, offset: epoch * CUSTOMERS + customer },
        merge_time: at(epoch),
        body,
    }
}

pub(super) const EVERY: Duration = Duration::from_mins(5);

impl Shop {
    /// Whether nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.snapshots.writing.is_none() && self.snapshots.sweep.is_idle()
    }

    /// Begins a snapshot, of which the first write fails.
    pub(super) fn fail(&mut self) {
        self.snapshots.shelf.store = Disk::default().store(Fault::Fails(0));
        assert!(self.snapshot().is_none());
    }
}
