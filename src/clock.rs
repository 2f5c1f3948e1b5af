//! The only reader of clocks.

#![expect(clippy::disallowed_methods, reason = "this is the file that may read clocks")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::EventTime;

/// Wall time.
pub(crate) fn wall() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).min(EventTime::MAX)
}

/// A point to measure spans from; it never moves back.
pub(crate) fn now() -> Instant {
    Instant::now()
}
