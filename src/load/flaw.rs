//! What real topics carry besides good events: late ones, broken ones, the same once more.

use crate::model::time::EventTime;

use super::later::What;
use super::random::Random;
use super::{Generated, Load};

impl Load {
    /// When an event that arrives now happened: now, or for the late ones up to three hours ago.
    pub(super) fn happened(&mut self, at: EventTime) -> EventTime {
        if self.shape.late > 0.0 && self.random.chance(self.shape.late) {
            EventTime(at.0 - self.random.within(1_000, 3 * 3_600_000))
        } else {
            at
        }
    }

    /// Breaks the record or plans its second coming, as often as the shape says.
    pub(super) fn spoil(&mut self, customer: u32, out: &mut Generated) {
        if self.shape.malformed > 0.0 && self.random.chance(self.shape.malformed) {
            break_value(&mut self.random, &mut out.json);
        } else if self.shape.duplicates > 0.0 && self.random.chance(self.shape.duplicates) {
            let at = EventTime(out.at.0 + self.random.within(50, 600_000));
            self.plan(at, customer, What::Again(Box::new(out.clone())));
        }
    }
}

/// Breaks a value in one of the ways in which values are broken.
fn break_value(random: &mut Random, json: &mut Vec<u8>) {
    match random.below(6) {
        0 => json.truncate(json.len() / 2),
        1 => json.insert(json.len() - 2, 0xff),
        2 => replace(json, b"\"occurred_at\":\"", b"\"occurred_at\":\"about "),
        3 => replace(json, b"\"event_id\"", b"\"id\""),
        4 => replace(json, b"\"occurred_at\":", b"\"happened\":"),
        _ => {
            json.clear();
            json.extend_from_slice(b"[1,2,3]");
        }
    }
}

/// Replaces the first occurrence, where there is one.
fn replace(json: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    if let Some(at) = json.windows(from.len()).position(|window| window == from) {
        json.splice(at..at + from.len(), to.iter().copied());
    }
}
