//! A lasting change in a customer's behaviour, as JSON.
//!
//! What detectors reckon in floating point is written as decimals in text like any other number, to so many places. A number
//! that is none is null.

use rust_decimal::prelude::ToPrimitive;
use serde_json::json;

use super::line::{Line, Rows, plain};
use super::{Wire, customer_of};
use crate::model::output::pivot::{Found, TYPE, decimal as decimal_of};
use crate::model::time::EventTime;
use crate::pivot::sentence::sentence;
use crate::pivot::{Kind, Pivot};

impl Wire {
    pub(super) fn pivot(&self, found: &Found, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        line.text("event_id", &found.event_id);
        line.put("type", TYPE);
        line.put("customer_id", &customer_of(&found.customer_id));
        line.put_some("account_id", found.account_id.as_ref());
        line.put("status_seq", &found.status_seq);
        self.common(&mut line, found.occurred_at, decided_at, found.trigger.as_ref(), found.cause);
        line.put("evidence", &Rows::new(&found.evidence, &self.topics));
        put(&found.pivot, &mut line);
        line.put_some("found_at", found.found_at.as_ref());
        line.put_some("shift", found.shift.map(|shift| shift.to_string()).as_ref());
        line.put("priors", &found.priors);
        line.put("sentence", &sentence(&found.pivot, &found.currency));
        line.put("labels", &found.labels);
        line.finish()
    }
}

/// From `kind` to `expected`.
fn put(pivot: &Pivot, line: &mut Line) {
    let since = pivot.since_ms.clamp(EventTime::MIN.0, EventTime::MAX.0);
    let shops = pivot.shops.as_ref();
    line.put("kind", pivot.kind.name());
    line.put_some("of", pivot.of.map(Kind::name));
    line.put("channel", pivot.channel.name());
    line.put("direction", &pivot.direction);
    line.put("level", pivot.level.name());
    line.put("from", &decimal(pivot.from));
    line.put("to", &decimal(pivot.to));
    line.put_some("ratio", pivot.ratio.map(decimal).as_ref());
    line.put_some("shops", shops.map(|it| json!({ "before": it.before, "since": it.since })).as_ref());
    line.put("since", &EventTime(since));
    line.put("observations", &whole(pivot.n_before + pivot.n_after));
    line.put("before", &whole(pivot.n_before));
    line.put("after", &whole(pivot.n_after));
    line.put_some("days_silent", pivot.days_silent.map(decimal).as_ref());
    line.put_some("probability", pivot.p.map(rare).as_ref());
    line.put("confidence", &pivot.confidence.and_then(decimal));
    line.put("expected", &rare(pivot.budget));
}

/// To four places.
fn decimal(value: f64) -> Option<String> {
    rounded(value, 4)
}

/// To eight places, for what is near zero.
fn rare(value: f64) -> Option<String> {
    rounded(value, 8)
}

fn rounded(value: f64, places: u32) -> Option<String> {
    decimal_of(value, places).map(|number| plain(number).to_string())
}

/// To a whole number. None for what is none, or below zero.
fn whole(value: f64) -> Option<u64> {
    decimal_of(value.round(), 0)?.to_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_even_digit_and_written_plainly() {
        for (value, expected) in [
            (14.0, "14"),
            (0.25, "0.25"),
            (1.000_05, "1"),
            (1.000_15, "1.0002"),
            (-0.421_27, "-0.4213"),
            (-0.000_01, "0"),
            (-0.0, "0"),
            (1e-300, "0"),
            (5_120.5, "5120.5"),
        ] {
            assert_eq!(decimal(value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(rare(0.000_912_345_678).as_deref(), Some("0.00091235"));
        assert_eq!((whole(11.5), whole(2.4), whole(0.0)), (Some(12), Some(2), Some(0)));
    }

    #[test]
    fn what_is_no_number_is_null() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!((decimal(value), rare(value), whole(value)), (None, None, None), "{value}");
        }
        assert_eq!(whole(-3.0), None);
    }
}
