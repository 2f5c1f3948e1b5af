//! The wire format of Protocol Buffers by hand: fields go straight from the state to bytes and back. A message struct
//! between the two, as a generator makes it, would cost more than all the rest.
//!
//! Fields are written in the order of their numbers, and those at their default are left out: equal states are equal
//! bytes. What cannot be short is `fixed64`, lists of it are packed.

use std::ops::Range;

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::model::time::{EventTime, MaybeTime};

/// What is wrong with bytes. It never says what they hold: that is about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Flaw(pub(in crate::engine) &'static str);

/// Appends fields to a message.
pub(in crate::engine) struct Writer<'a>(pub(in crate::engine) &'a mut Vec<u8>);

const VARINT: u8 = 0;
const FIXED: u8 = 1;
const LENGTH: u8 = 2;

impl Writer<'_> {
    /// `uint64`; 0 is left out.
    pub(super) fn uint(&mut self, tag: u32, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.present(tag, value);
        }
    }

    /// `uint64`, whatever its value.
    pub(super) fn present(&mut self, tag: u32, value: impl Into<u64>) {
        self.key(tag, VARINT);
        self.varint(value.into());
    }

    /// `bool`; false is left out.
    pub(super) fn flag(&mut self, tag: u32, value: bool) {
        self.uint(tag, value);
    }

    /// `fixed64`; 0 is left out.
    pub(super) fn fixed(&mut self, tag: u32, value: u64) {
        if value != 0 {
            self.key(tag, FIXED);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// `sfixed64`, milliseconds since 1970; left out where it is the instant that its absence stands for.
    pub(super) fn time(&mut self, tag: u32, time: EventTime, absent: EventTime) {
        if time != absent {
            self.key(tag, FIXED);
            self.0.extend_from_slice(&time.0.to_le_bytes());
        }
    }

    /// The same; none is left out.
    pub(super) fn maybe(&mut self, tag: u32, time: impl Into<MaybeTime>) {
        self.time(tag, time.into().get().unwrap_or(NONE), NONE);
    }

    /// `bytes` or `string`, whatever its length.
    pub(super) fn bytes(&mut self, tag: u32, bytes: &[u8]) {
        self.key(tag, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// `string`; none is left out.
    pub(super) fn text(&mut self, tag: u32, text: Option<&CompactString>) {
        if let Some(text) = text {
            self.bytes(tag, text.as_bytes());
        }
    }

    /// `bytes`: a decimal as its library lays it out, flags and mantissa, 16 bytes.
    pub(super) fn decimal(&mut self, tag: u32, decimal: Decimal) {
        self.bytes(tag, &decimal.serialize());
    }

    /// `repeated fixed64`, packed, so many to each item; nothing is left out.
    pub(super) fn rows<const N: usize, T>(&mut self, tag: u32, items: &[T], words: impl Fn(&T) -> [u64; N]) {
        if items.is_empty() {
            return;
        }
        self.key(tag, LENGTH);
        self.varint((items.len() * N * 8) as u64);
        let start = self.0.len();
        self.0.resize(start + items.len() * N * 8, 0);
        for (row, item) in self.0[start..].chunks_exact_mut(N * 8).zip(items) {
            for (bytes, word) in row.chunks_exact_mut(8).zip(words(item)) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// A message, be it empty; says where its content lies.
    pub(super) fn message(&mut self, tag: u32, write: impl FnOnce(&mut Writer<'_>)) -> Range<usize> {
        self.key(tag, LENGTH);
        let start = self.0.len();
        // Most lengths fit the byte kept for them; for a longer one the content moves.
        self.0.push(0);
        write(self);
        let end = self.0.len();
        let mut length = (end - start - 1) as u64;
        let more = length.checked_ilog2().unwrap_or_default() as usize / 7;
        if more > 0 {
            self.0.resize(end + more, 0);
            self.0.copy_within(start + 1..end, start + 1 + more);
        }
        for byte in &mut self.0[start..start + more] {
            *byte = low_byte(length) | 0x80;
            length >>= 7;
        }
        self.0[start + more] = low_byte(length);
        start + 1 + more..end + more
    }

    fn key(&mut self, tag: u32, wire: u8) {
        self.varint(u64::from(tag << 3) | u64::from(wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        self.0.push(low_byte(value));
    }
}

const fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Takes fields off a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// A field's value as it lies on the wire.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Reader<'a> {
    /// The next field with its number; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Flaw> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match low_byte(key & 7) {
            VARINT => Field::Varint(self.varint()?),
            FIXED => {
                let (bytes, rest) = self.0.split_first_chunk().ok_or(CUT)?;
                self.0 = rest;
                Field::Fixed(u64::from_le_bytes(*bytes))
            }
            LENGTH => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            _ => return Err(FORM),
        };
        Ok(Some((key >> 3, field)))
    }

    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(CUT)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Flaw("a number of more than 64 bits"))
    }
}

impl<'a> Field<'a> {
    /// `uint32` or less, as the type that it is kept in.
    pub(super) fn uint<T: TryFrom<u64>>(self) -> Result<T, Flaw> {
        match self {
            Self::Varint(value) => T::try_from(value).map_err(|_| RANGE),
            _ => Err(FORM),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Flaw> {
        match self.uint()? {
            0u8 => Ok(false),
            1 => Ok(true),
            _ => Err(RANGE),
        }
    }

    pub(super) fn fixed(self) -> Result<u64, Flaw> {
        match self {
            Self::Fixed(value) => Ok(value),
            _ => Err(FORM),
        }
    }

    /// Any instant, or what stands for none.
    pub(super) fn time(self) -> Result<EventTime, Flaw> {
        Ok(EventTime(self.fixed()?.cast_signed()))
    }

    /// An instant that an event may have.
    pub(super) fn event_time(self) -> Result<EventTime, Flaw> {
        let time = self.time()?;
        if (EventTime::MIN..=EventTime::MAX).contains(&time) { Ok(time) } else { Err(RANGE) }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Flaw> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(FORM),
        }
    }

    pub(super) fn message(self) -> Result<Reader<'a>, Flaw> {
        self.bytes().map(Reader)
    }

    pub(super) fn text(self) -> Result<CompactString, Flaw> {
        CompactString::from_utf8(self.bytes()?).map_err(|_| Flaw("a text that is not UTF-8"))
    }

    pub(super) fn decimal(self) -> Result<Decimal, Flaw> {
        let bytes: [u8; 16] = self.bytes()?.try_into().map_err(|_| FORM)?;
        let [0, 0, scale, 0 | 0x80, ..] = bytes else { return Err(RANGE) };
        if u32::from(scale) <= Decimal::MAX_SCALE { Ok(Decimal::deserialize(bytes)) } else { Err(RANGE) }
    }

    /// Rows of so many words each.
    pub(super) fn rows<const N: usize>(self) -> Result<impl ExactSizeIterator<Item = [u64; N]> + use<'a, N>, Flaw> {
        let bytes = self.bytes()?;
        if bytes.len() % (N * 8) != 0 {
            return Err(Flaw("a list that ends within an item"));
        }
        let words = |row: &[u8]| {
            let mut words = [0; N];
            for (word, bytes) in words.iter_mut().zip(row.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            words
        };
        Ok(bytes.chunks_exact(N * 8).map(words))
    }
}

/// What stands for no instant.
pub(super) const NONE: EventTime = EventTime(i64::MIN);
const CUT: Flaw = Flaw("it ends too early");
const FORM: Flaw = Flaw("a field of another form");
pub(in crate::engine) const RANGE: Flaw = Flaw("a value out of its range");
pub(super) const UNKNOWN: Flaw = Flaw("a field that this build does not know");
