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

/// An instant, or none: half the size of an `Option`, for what is kept of every customer. None is before all.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaybeTime(i64);

impl MaybeTime {
    /// No instant.
    pub const NONE: Self = Self(i64::MIN);

    /// The instant, if any.
    pub fn get(self) -> Option<EventTime> {
        (self != Self::NONE).then_some(EventTime(self.0))
    }

    /// Takes an instant in if it is later, or the first.
    pub fn raise(&mut self, to: impl Into<Self>) {
        self.0 = self.0.max(to.into().0);
    }

    /// Takes an instant in if it is earlier, or the first.
    pub fn lower(&mut self, to: EventTime) {
        self.0 = self.get().map_or(to.0, |time| time.min(to).0);
    }
}

impl Default for MaybeTime {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<EventTime> for MaybeTime {
    fn from(time: EventTime) -> Self {
        Self(time.0)
    }
}

impl From<Option<EventTime>> for MaybeTime {
    fn from(time: Option<EventTime>) -> Self {
        time.map_or(Self::NONE, Self::from)
    }
}

impl std::fmt::Debug for MaybeTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// RFC 3339 in UTC with exactly three decimals: `1997-01-01T08:00:00.000Z`.
impl std::fmt::Display for EventTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).expect("an event time is before the year 2500");
        write!(f, "{time:.3}")
    }
}

/// RFC 3339 where people may read it, milliseconds elsewhere.
impl serde::Serialize for EventTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

/// From milliseconds.
impl<'de> serde::Deserialize<'de> for EventTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
