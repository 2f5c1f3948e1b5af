//! Looking ahead through what is buffered for the first record that matters.
//!
//! Tens of thousands may lie in a buffer, and are asked of several times an epoch: so each is looked at once, until the
//! answers may have changed.

use super::{Buffer, Merge};
use crate::model::event::Event;
use crate::model::record::Record;
use crate::model::time::EventTime;

/// How far a lane's buffer was looked through in vain.
#[derive(Debug, Default)]
pub(super) struct Passed {
    records: usize,
    /// The greatest merge time of these. Where a task that was at its end went on, an older record may lie behind a
    /// newer one, and is taken after it.
    to: EventTime,
}

impl Passed {
    /// The lane's first record was taken.
    pub(super) fn pop(&mut self, taken: Option<&Record>, next: Option<&Record>) {
        let in_order = next.is_none_or(|next| taken.is_none_or(|taken| taken.merge_time <= next.merge_time));
        *self = if in_order && self.records > 1 {
            Self { records: self.records - 1, to: self.to }
        } else {
            Self::default()
        };
    }
}

impl Buffer {
    /// When the next record is taken that was not passed, at the earliest; `None` where nothing is to come.
    fn next_ahead(&self) -> Option<EventTime> {
        match self.records.get(self.passed.records) {
            Some(record) => Some(record.merge_time.max(self.passed.to)),
            None => (!self.at_end).then_some(self.reached),
        }
    }

    /// Passes records that do not matter, as long as they are taken up to `limit`; says whether it met one that does,
    /// or what is still to be fetched.
    fn pass(&mut self, limit: Option<EventTime>, matters: &impl Fn(&Event) -> bool) -> bool {
        while let Some(at) = self.next_ahead().filter(|at| limit.is_none_or(|limit| *at <= limit)) {
            let Some(record) = self.records.get(self.passed.records) else { return true };
            if record.body.as_ref().is_ok_and(matters) {
                return true;
            }
            self.passed = Passed { records: self.passed.records + 1, to: at };
        }
        false
    }
}

impl Merge {
    /// The earliest time at which a record for which `matters` holds may be taken, buffered or, of a lane not at its
    /// end, still to be fetched: none comes before it. What was asked of a record before is not asked again, until
    /// [`Merge::look_anew`].
    pub fn earliest(&mut self, matters: impl Fn(&Event) -> bool) -> Option<EventTime> {
        // The lanes are looked through level with each other, and no further than to the first that matters.
        loop {
            let ordered = self.lanes.iter().enumerate().filter(|(_, (_, buffer))| !buffer.outside);
            let mut ahead: Vec<_> = ordered.filter_map(|(at, (_, buffer))| Some((buffer.next_ahead()?, at))).collect();
            ahead.sort_unstable();
            let (_, place) = *ahead.first()?;
            let limit = ahead.get(1).map(|(next, _)| *next);
            if self.lanes[place].1.pass(limit, &matters) {
                return self.lanes[place].1.next_ahead();
            }
        }
    }

    /// What mattered not may matter now, or the other way round.
    pub fn look_anew(&mut self) {
        for (_, buffer) in &mut self.lanes {
            buffer.passed = Passed::default();
        }
    }
}
