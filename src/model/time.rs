//! Event time: milliseconds since 1970 UTC.

use std::time::Duration;

/// An instant in event time, milliseconds since 1970-01-01T00:00:00Z, at most [`EventTime::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventTime(pub i64);

impl EventTime {
    /// The start of time: before every event. What a clock shows before the first record.
    pub const MIN: Self = Self(0);
    /// 2500-01-01T00:00:00Z; a later `occurred_at` is a dead letter (`bad_time`). The bound lets a
    /// place fit 44 bits.
    pub const MAX: Self = Self(16_725_225_600_000);

    /// This instant moved forward by `span`, which is whole milliseconds.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This instant moved back by `span`.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// The span from an earlier time to this one; none where that is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

/// RFC 3339 in UTC with exactly three decimals: `1997-01-01T08:00:00.000Z`.
impl std::fmt::Display for EventTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).expect("an event time is before the year 2500");
        write!(f, "{time:.3}")
    }
}

impl serde::Serialize for EventTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
