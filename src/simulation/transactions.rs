//! The coordinator of transactions: ids and epochs, what is open, markers that follow later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::world::{Deed, Place, World};
use crate::broker::{Committed, Outgoing};
use crate::clock;

/// By transactional id.
pub(super) type Transactions = BTreeMap<String, Transactional>;

#[derive(Default)]
pub(super) struct Transactional {
    /// Of the producer that may write; older ones are fenced.
    epoch: u32,
    /// The epoch was raised since a transaction took too long: its producer may have a new one.
    timed_out: bool,
    state: State,
    /// Which transaction this is.
    number: u64,
    places: BTreeSet<Place>,
    offsets: BTreeMap<Place, Committed>,
    /// Markers still to be written.
    unmarked: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Open,
    /// Decided; markers are still to be written.
    Ending {
        is_committed: bool,
    },
}

/// Why the coordinator did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    /// What was before has not ended yet.
    NotYet,
    Fenced,
    /// It took too long and was aborted.
    TimedOut,
}

impl World {
    /// Gives a producer of this id the next epoch, once nothing of former ones is open.
    pub(super) fn init(&mut self, id: &str) -> Result<u32, No> {
        let known = self.transactions.entry(id.to_owned()).or_default();
        match known.state {
            State::None => {
                known.epoch += 1;
                known.timed_out = false;
                Ok(known.epoch)
            }
            State::Open => {
                // Whoever had it open must not add to it meanwhile.
                known.epoch += 1;
                known.timed_out = false;
                self.end(id, false);
                Err(No::NotYet)
            }
            State::Ending { .. } => Err(No::NotYet),
        }
    }

    /// Whether a producer may write.
    pub(super) fn check(&self, id: &str, epoch: u32) -> Result<(), No> {
        let known = &self.transactions[id];
        match known.state {
            _ if known.epoch == epoch => Ok(()),
            State::Ending { .. } if known.timed_out && known.epoch == epoch + 1 => Err(No::NotYet),
            _ if known.timed_out && known.epoch == epoch + 1 => Err(No::TimedOut),
            _ => Err(No::Fenced),
        }
    }

    /// Opens a transaction where none is.
    pub(super) fn enter(&mut self, id: &str, epoch: u32) -> Result<(), No> {
        self.check(id, epoch)?;
        let known = self.transactions.get_mut(id).expect("an id that was given out");
        match known.state {
            State::Open => {}
            State::Ending { .. } => return Err(No::NotYet),
            State::None => {
                known.state = State::Open;
                known.number += 1;
                let deed = Deed::TimeOut { id: id.to_owned(), number: known.number };
                self.later(TIME_OUT, deed);
            }
        }
        Ok(())
    }

    /// Adds a record to the open transaction.
    pub(super) fn add(&mut self, id: &str, place: &Place, record: Outgoing) {
        let known = self.transactions.get_mut(id).expect("it was entered");
        known.places.insert(place.clone());
        self.log(&place.0, place.1).append(record, clock::wall(), Some(id));
    }

    pub(super) fn add_offsets(&mut self, id: &str, offsets: BTreeMap<Place, Committed>) {
        self.transactions.get_mut(id).expect("it was entered").offsets = offsets;
    }

    /// Which transaction of an id is open, if this epoch's is.
    pub(super) fn open_number(&self, id: &str, epoch: u32) -> Option<u64> {
        let known = &self.transactions[id];
        (known.epoch == epoch && known.state == State::Open).then_some(known.number)
    }

    /// Whether offsets of this place wait for a transaction to end.
    pub(super) fn is_pending(&self, place: &Place) -> bool {
        self.transactions.values().any(|known| known.offsets.contains_key(place))
    }

    /// Whether nothing is open or ending.
    pub(super) fn all_ended(&self) -> bool {
        self.transactions.values().all(|known| known.state == State::None)
    }

    /// Decides the open transaction. Markers come one by one, a little later each.
    pub(super) fn end(&mut self, id: &str, is_committed: bool) {
        let known = self.transactions.get_mut(id).expect("it was entered");
        known.state = State::Ending { is_committed };
        let mut places: Vec<Option<Place>> = std::mem::take(&mut known.places).into_iter().map(Some).collect();
        places.push(None);
        known.unmarked = places.len();
        self.dice.shuffle(&mut places);
        let most = if self.dice.chance(10) { 300_000 } else { 3_000 };
        for place in places {
            let span = Duration::from_micros(self.dice.number(0, most).unsigned_abs());
            self.later(span, Deed::Mark { id: id.to_owned(), place });
        }
    }

    /// A new epoch after a transaction that took too long.
    pub(super) fn renew(&mut self, id: &str) -> u32 {
        let known = self.transactions.get_mut(id).expect("it was entered");
        known.epoch += 1;
        known.timed_out = false;
        known.epoch
    }

    pub(super) fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::Mark { id, place } => self.mark(&id, place),
            Deed::Commit { id, epoch, number } => {
                if self.open_number(&id, epoch) == Some(number) {
                    self.end(&id, true);
                }
            }
            Deed::Retain { place: (topic, partition), needed } => {
                let log = self.log(&topic, partition);
                log.start = log.start.max(needed);
            }
            Deed::Write { disk, write, report } => self.write_object(disk, write, &report),
            Deed::TimeOut { id, number } => {
                let known = self.transactions.get_mut(&id).expect("it was entered");
                if known.state == State::Open && known.number == number {
                    known.epoch += 1;
                    known.timed_out = true;
                    self.end(&id, false);
                }
            }
        }
    }

    fn mark(&mut self, id: &str, place: Option<Place>) {
        let known = self.transactions.get_mut(id).expect("it was entered");
        let State::Ending { is_committed } = known.state else { return };
        known.unmarked -= 1;
        if known.unmarked == 0 {
            known.state = State::None;
        }
        if let Some((topic, partition)) = place {
            self.log(&topic, partition).mark(id, is_committed, clock::wall());
        } else {
            let offsets = std::mem::take(&mut known.offsets);
            if is_committed {
                self.offsets.extend(offsets);
            }
        }
    }
}

/// As the producers ask for.
const TIME_OUT: Duration = Duration::from_secs(10);
