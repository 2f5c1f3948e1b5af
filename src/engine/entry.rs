//! One remembered order, survey, post, referral or case, packed: a busy customer has thousands, and most
//! customers a handful, so this is what memory goes to.

use rust_decimal::Decimal;

use crate::model::event::Kind;
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::EventTime;

/// One remembered object, 48 bytes.
///
/// Invariant: `extra` is present exactly where something in it differs from its default.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Entry {
    /// Hash of the object's key.
    pub key: u64,
    /// 44 bits of place, 4 of flags, 16 of filters' answers.
    packed: u64,
    /// 3 bits of kind, 13 of partition, 48 of offset: the record of the present content.
    position: u64,
    /// An order's amount left; else the version in the first eight bytes and the alerted bits in the next two.
    content: [u8; 16],
    pub extra: Option<Box<Extra>>,
}

/// What few objects carry.
#[derive(Clone, Debug, PartialEq, Hash, Default)]
pub(super) struct Extra {
    /// The fields that features read, in the plan's order.
    pub stored: Box<[Option<Scalar>]>,
    /// End of the subscription period that an order pays for.
    pub period_end: Option<EventTime>,
}

impl Entry {
    /// An object that counts in no feature yet.
    pub fn new(key: u64, place: EventTime, position: Position, content: Content) -> Self {
        let mut entry = Self { key, packed: 0, position: 0, content: [0; 16], extra: None };
        entry.set_place(place);
        entry.set_position(position);
        match content {
            Content::Amount(amount) => entry.set_amount(amount),
            Content::Version(version) => entry.set_version(version),
        }
        entry
    }

    /// Order in the log: kind, place, key.
    pub fn order(&self) -> (u8, u64, u64) {
        (self.kind_bits(), self.packed >> PLACE_SHIFT, self.key)
    }

    /// The kind of object.
    pub const fn kind_bits(&self) -> u8 {
        (self.position >> 61) as u8
    }

    /// The event time at which it counts.
    pub const fn place(&self) -> EventTime {
        EventTime((self.packed >> PLACE_SHIFT).cast_signed())
    }

    /// Moves it. The log must be put in order again.
    pub fn set_place(&mut self, place: EventTime) {
        assert!(place.0 >= 0 && place <= EventTime::MAX, "places lie between 1970 and 2500");
        self.packed = self.packed & ((1 << PLACE_SHIFT) - 1) | place.0.cast_unsigned() << PLACE_SHIFT;
    }

    /// Where the record of its content lies.
    pub fn position(&self) -> Position {
        Position {
            kind: Kind::ALL[usize::from(self.kind_bits())],
            partition: ((self.position >> 48) & MAX_PARTITION) as u32,
            offset: self.position & MAX_OFFSET,
        }
    }

    /// Notes the record of its content. Positions only serve as evidence: beyond 8,191 partitions they are cut.
    pub fn set_position(&mut self, position: Position) {
        let partition = u64::from(position.partition).min(MAX_PARTITION);
        self.position = (position.kind as u64) << 61 | partition << 48 | position.offset.min(MAX_OFFSET);
    }

    /// Whether a flag is set.
    pub const fn has(&self, flag: Flag) -> bool {
        self.packed & flag.mask() != 0
    }

    /// Sets or clears a flag.
    pub const fn set(&mut self, flag: Flag, on: bool) {
        if on { self.packed |= flag.mask() } else { self.packed &= !flag.mask() }
    }

    /// The answers of the kind's filters, by bit.
    pub const fn filters(&self) -> u16 {
        self.packed as u16
    }

    /// Notes the answers of the kind's filters.
    pub fn set_filters(&mut self, filters: u16) {
        self.packed = self.packed & !0xffff | u64::from(filters);
    }

    /// What is left of an order's amount.
    pub fn amount(&self) -> Decimal {
        Decimal::deserialize(self.content)
    }

    /// Lessens an order.
    pub fn set_amount(&mut self, amount: Decimal) {
        self.content = amount.serialize();
    }

    /// The version of the content.
    pub fn version(&self) -> i64 {
        i64::from_le_bytes(self.content[..8].try_into().expect("eight bytes"))
    }

    /// Notes the version of the content.
    pub fn set_version(&mut self, version: i64) {
        self.content[..8].copy_from_slice(&version.to_le_bytes());
    }

    /// Which alerts a post has raised, by place in the ruleset.
    pub fn alerted(&self) -> u16 {
        u16::from_le_bytes([self.content[8], self.content[9]])
    }

    /// Notes that a post raised an alert.
    pub fn set_alerted(&mut self, alert: u8) {
        let bits = self.alerted() | 1 << alert;
        self.content[8..10].copy_from_slice(&bits.to_le_bytes());
    }

    /// Whether it counts in features at all.
    pub const fn counts(&self) -> bool {
        self.packed & (Flag::Unpriced.mask() | Flag::Gone.mask()) == 0
    }
}

/// What an entry's content holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Amount(Decimal),
    Version(i64),
}

/// A yes or no about an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flag {
    /// Wholly taken back or deleted.
    Gone,
    /// In a currency without a rate.
    Unpriced,
    /// At least one refund came.
    Refunded,
}

impl Flag {
    const fn mask(self) -> u64 {
        1 << (16 + self as u64)
    }
}

const PLACE_SHIFT: u32 = 20;
const MAX_PARTITION: u64 = 0x1fff;
const MAX_OFFSET: u64 = (1 << 48) - 1;
