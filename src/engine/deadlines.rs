//! Who is to be looked at when.
//!
//! A customer whose deadline moves ahead is queued anew; one whose deadline moves back stays where it is and is
//! queued again when the old instant comes up, so that a label such as `silent` costs no queueing with every event.

use std::collections::BTreeMap;

use super::customers::Slot;
use crate::model::time::EventTime;

/// Instants and whose they are. Bounded by the number of times deadlines moved ahead, each worked off at its instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    queue: BTreeMap<EventTime, Vec<Slot>>,
    /// The slots of the instant being worked off, last first.
    current: Option<(EventTime, Vec<Slot>)>,
}

impl Deadlines {
    /// Queues a customer.
    pub(super) fn push(&mut self, at: EventTime, slot: Slot) {
        self.queue.entry(at).or_default().push(slot);
    }

    /// The earliest queued instant, stale ones included.
    pub(super) fn first(&self) -> Option<EventTime> {
        let queued = self.queue.keys().next().copied();
        let current = self.current.as_ref().filter(|(_, slots)| !slots.is_empty());
        current.map(|(at, _)| *at).into_iter().chain(queued).min()
    }

    /// Takes the next one up to `due`, by instant, then in the order that `sort` gives the slots of one instant.
    pub(super) fn pop(&mut self, due: EventTime, sort: impl FnOnce(&mut Vec<Slot>)) -> Option<(EventTime, Slot)> {
        if self.current.as_ref().is_some_and(|(_, slots)| slots.is_empty()) {
            self.current = None;
        }
        let first = self.first().filter(|first| *first <= due)?;
        // An instant before the one being worked off, or more slots of the same, may have come in meanwhile.
        if let Some(mut slots) = self.queue.remove(&first) {
            match self.current.take() {
                Some((at, rest)) if at == first => slots.extend(rest),
                Some((at, rest)) => drop(self.queue.insert(at, rest)),
                None => {}
            }
            slots.sort_unstable();
            slots.dedup();
            sort(&mut slots);
            slots.reverse();
            self.current = Some((first, slots));
        }
        let (at, slots) = self.current.as_mut()?;
        slots.pop().map(|slot| (*at, slot))
    }
}
