//! Writes one event's JSON without allocating: millions a second feed the benches.

use crate::model::time::EventTime;

use super::customer;

/// A JSON object under way. Values are plain ASCII that needs no escaping.
pub(crate) struct Line<'a> {
    json: &'a mut Vec<u8>,
    stamp: &'a mut Stamp,
}

impl<'a> Line<'a> {
    /// Opens the object with the common fields.
    pub(crate) fn open(
        json: &'a mut Vec<u8>,
        stamp: &'a mut Stamp,
        event: u64,
        customer: Option<u32>,
        at: EventTime,
    ) -> Self {
        json.extend_from_slice(b"{\"event_id\":\"e-");
        digits(json, event, 9);
        json.push(b'"');
        let mut line = Self { json, stamp };
        if let Some(index) = customer {
            line.text("customer_id", &customer::id(index));
        }
        line.time("occurred_at", at);
        line
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.json.push(b'"');
        self.json.extend_from_slice(value.as_bytes());
        self.json.push(b'"');
    }

    /// An id such as `o-000000012`.
    pub(crate) fn id(&mut self, name: &str, prefix: &str, number: u64) {
        self.name(name);
        self.json.push(b'"');
        self.json.extend_from_slice(prefix.as_bytes());
        digits(self.json, number, 9);
        self.json.push(b'"');
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        digits(self.json, value, 1);
    }

    /// An amount of money as a decimal string.
    pub(crate) fn cents(&mut self, name: &str, cents: u32) {
        self.name(name);
        self.json.push(b'"');
        digits(self.json, u64::from(cents / 100), 1);
        self.json.push(b'.');
        digits(self.json, u64::from(cents % 100), 2);
        self.json.push(b'"');
    }

    /// Hundredths as a JSON number with a sign.
    pub(crate) fn hundredths(&mut self, name: &str, value: i64) {
        self.name(name);
        if value < 0 {
            self.json.push(b'-');
        }
        digits(self.json, value.unsigned_abs() / 100, 1);
        self.json.push(b'.');
        digits(self.json, value.unsigned_abs() % 100, 2);
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.json.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn time(&mut self, name: &str, at: EventTime) {
        self.name(name);
        self.json.push(b'"');
        self.stamp.write(self.json, at);
        self.json.push(b'"');
    }

    /// A value that is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.json.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn close(self) {
        self.json.push(b'}');
    }

    fn name(&mut self, name: &str) {
        self.json.extend_from_slice(b",\"");
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
    }
}

/// Writes times as RFC 3339; keeps the last day's date, since a stream stays within a day for long.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    day: i64,
    date: String,
}

impl Stamp {
    fn write(&mut self, out: &mut Vec<u8>, at: EventTime) {
        let (day, ms) = (at.0.div_euclid(DAY_MS), at.0.rem_euclid(DAY_MS).unsigned_abs());
        if day != self.day || self.date.is_empty() {
            self.day = day;
            self.date = at.to_string();
            self.date.truncate("2025-01-01T".len());
        }
        out.extend_from_slice(self.date.as_bytes());
        for (part, width, end) in
            [(ms / 3_600_000, 2, b':'), (ms / 60_000 % 60, 2, b':'), (ms / 1_000 % 60, 2, b'.'), (ms % 1_000, 3, b'Z')]
        {
            digits(out, part, width);
            out.push(end);
        }
    }
}

/// Writes a number in decimal with at least `width` digits.
fn digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    while number > 0 || buffer.len() - start < width {
        start -= 1;
        buffer[start] = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    out.extend_from_slice(&buffer[start..]);
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_event_time_shows_them() {
        let mut stamp = Stamp::default();
        for at in [0, 1, 86_399_999, 86_400_000, 1_735_689_600_123, 1_709_164_799_999, 0] {
            let mut out = Vec::new();
            stamp.write(&mut out, EventTime(at));
            assert_eq!(String::from_utf8(out).unwrap(), EventTime(at).to_string());
        }
    }

    #[test]
    fn a_line_is_json_with_the_values_given() {
        let mut json = Vec::new();
        let mut stamp = Stamp::default();
        let mut line = Line::open(&mut json, &mut stamp, 7, Some(3), EventTime(0));
        line.cents("amount", 1_205);
        line.hundredths("sentiment", -45);
        line.number("items", 0);
        line.flag("public", true);
        line.close();
        let expected = "{\"event_id\":\"e-000000007\",\"customer_id\":\"c-000003\",\
             \"occurred_at\":\"1970-01-01T00:00:00.000Z\",\"amount\":\"12.05\",\"sentiment\":-0.45,\"items\":0,\
             \"public\":true}";
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
}
