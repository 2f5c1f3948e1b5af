//! One remembered order, survey, post, referral or case, packed: a busy customer has thousands, and most
//! customers a handful, so this is what memory goes to.

use rust_decimal::Decimal;

use super::money::Money;
use super::windows::KINDS_WITH_OBJECTS;
use crate::model::event::Kind;
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::{EventTime, MaybeTime};

/// One remembered object, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    /// Hash of the object's key.
    pub(super) key: u64,
    /// 44 bits of place, 4 of flags, 16 of filters' answers.
    packed: u64,
    /// 3 bits of the kind's rank, 13 of partition, 43 of offset, 5 of the amount's scale: the record of the present content.
    position: u64,
    /// The mantissa of an order's amount left; else the version: a post's with the alerts raised in its upper 16 bits, a
    /// referral's with the hash of who was referred in all but its lowest 2.
    content: u64,
}

/// What few objects carry, kept apart. Present where [`Flag::Extra`] says so.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Extra {
    /// The fields that features read, in the plan's order.
    pub(super) stored: Box<[Option<Scalar>]>,
    /// End of the subscription period that an order pays for.
    pub(super) period_end: MaybeTime,
    /// What is left of it where that does not fit the entry; of a referral in another currency, its value in the ruleset's.
    pub(super) amount: Option<Box<Decimal>>,
    /// End of the period that would be paid for, had the order not been wholly taken back.
    pub(super) unpaid_end: MaybeTime,
    /// As it was sent, where it is in another currency or was refunded.
    pub(super) money: Option<Box<Money>>,
}

/// An object with all that is kept of it.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) entry: Entry,
    pub(super) extra: Extra,
}

impl Object {
    /// An object that counts in no feature yet.
    pub(super) fn new(key: u64, place: EventTime, position: Position) -> Self {
        let mut entry = Entry { key, packed: 0, position: 0, content: 0 };
        entry.set_place(place);
        entry.set_position(position);
        Self { entry, extra: Extra::default() }
    }

    /// What is left of an order's amount.
    pub(super) fn amount(&self) -> Decimal {
        self.entry.amount(Some(&self.extra))
    }

    /// Changes what is left of an order's amount.
    pub(super) fn set_amount(&mut self, amount: Decimal) {
        let amount = amount.normalize();
        let small = i64::try_from(amount.mantissa()).ok();
        self.entry.content = small.unwrap_or_default().cast_unsigned();
        self.entry.position = self.entry.position & !MAX_SCALE | u64::from(amount.scale());
        self.extra.amount = if small.is_some() { None } else { Some(Box::new(amount)) };
    }
}

impl Entry {
    /// As it lies: key, then three packed words.
    pub(super) const fn words(&self) -> [u64; 4] {
        [self.key, self.packed, self.position, self.content]
    }

    /// From its words; `None` where these could not have been an entry's.
    pub(super) fn of([key, packed, position, content]: [u64; 4]) -> Option<Self> {
        let it = Self { key, packed, position, content };
        let is_sound = usize::from(it.rank()) < KINDS_WITH_OBJECTS.len()
            && it.place() <= EventTime::MAX
            && it.position & MAX_SCALE <= u64::from(Decimal::MAX_SCALE);
        is_sound.then_some(it)
    }

    /// Order in the log: the kind's rank, place, key.
    pub(super) fn order(&self) -> (u8, u64, u64) {
        (self.rank(), self.packed >> PLACE_SHIFT, self.key)
    }

    /// The kind of object.
    pub(super) const fn kind(&self) -> Kind {
        KINDS_WITH_OBJECTS[self.rank() as usize]
    }

    /// The rank of the kind, see [`rank_of`].
    pub(super) const fn rank(&self) -> u8 {
        (self.position >> 61) as u8
    }

    /// The event time at which it counts.
    pub(super) const fn place(&self) -> EventTime {
        EventTime((self.packed >> PLACE_SHIFT).cast_signed())
    }

    /// Moves it. The log must be put in order again.
    pub(super) fn set_place(&mut self, place: EventTime) {
        assert!(place.0 >= 0 && place <= EventTime::MAX, "places lie between 1970 and 2500");
        self.packed = self.packed & ((1 << PLACE_SHIFT) - 1) | place.0.cast_unsigned() << PLACE_SHIFT;
    }

    /// Where the record of its content lies.
    pub(super) fn position(&self) -> Position {
        Position {
            kind: if self.kind() == Kind::ReferredPurchase { Kind::Purchase } else { self.kind() },
            partition: ((self.position >> 48) & MAX_PARTITION) as u32,
            offset: (self.position >> 5) & MAX_OFFSET,
        }
    }

    /// Notes the record of its content. Positions only serve as evidence: beyond 8,191 partitions they are cut.
    pub(super) fn set_position(&mut self, position: Position) {
        let partition = u64::from(position.partition).min(MAX_PARTITION);
        let rank = rank_of(position.kind);
        assert!(rank < NO_OBJECT, "only what has objects is remembered as one");
        let place = u64::from(rank) << 61 | partition << 48 | position.offset.min(MAX_OFFSET) << 5;
        self.position = place | self.position & MAX_SCALE;
    }

    /// Whether a flag is set.
    pub(super) const fn has(&self, flag: Flag) -> bool {
        self.packed & flag.mask() != 0
    }

    /// Sets or clears a flag.
    pub(super) const fn set(&mut self, flag: Flag, on: bool) {
        if on { self.packed |= flag.mask() } else { self.packed &= !flag.mask() }
    }

    /// The answers of the kind's filters, by bit.
    pub(super) const fn filters(&self) -> u16 {
        (self.packed & 0xffff) as u16
    }

    /// Notes the answers of the kind's filters.
    pub(super) fn set_filters(&mut self, filters: u16) {
        self.packed = self.packed & !0xffff | u64::from(filters);
    }

    /// What is left of an order's amount.
    pub(super) fn amount(&self, extra: Option<&Extra>) -> Decimal {
        let scale = (self.position & MAX_SCALE) as u32;
        let small = || Decimal::new(self.content.cast_signed(), scale);
        extra.and_then(|extra| extra.amount.as_deref().copied()).unwrap_or_else(small)
    }

    /// The version of the content.
    pub(super) const fn version(&self) -> i64 {
        (self.content & self.version_mask()).cast_signed()
    }

    /// Notes the version of the content.
    pub(super) const fn set_version(&mut self, version: i64) {
        self.content = self.content & !self.version_mask() | version.cast_unsigned() & self.version_mask();
    }

    /// The bits of the content that are the version.
    const fn version_mask(&self) -> u64 {
        match self.kind() {
            Kind::Mention => MAX_POST_VERSION,
            Kind::Referral => MAX_REFERRAL_VERSION,
            _ => u64::MAX,
        }
    }

    /// Notes whom a referral refers, by the hash of the id.
    pub(super) const fn set_referred(&mut self, hash: u64) {
        self.content = hash & !MAX_REFERRAL_VERSION | self.content & MAX_REFERRAL_VERSION;
    }

    /// Whether a referral refers whoever has an id of this hash.
    pub(super) const fn refers(&self, hash: u64) -> bool {
        matches!(self.kind(), Kind::Referral) && (self.content ^ hash) & !MAX_REFERRAL_VERSION == 0
    }

    /// Which alerts a post has raised, by place in the ruleset.
    pub(super) const fn alerted(&self) -> u16 {
        (self.content >> POST_VERSION_BITS) as u16
    }

    /// Notes that a post raised an alert.
    pub(super) const fn set_alerted(&mut self, alert: u8) {
        self.content |= 1 << (POST_VERSION_BITS + alert as u32);
    }

    /// Notes that a post raised the alerts that another one did.
    pub(super) const fn alert_as(&mut self, other: &Self) {
        self.content |= other.content & !MAX_POST_VERSION;
    }

    /// Whether it counts in features at all.
    pub(super) const fn counts(&self) -> bool {
        self.packed & (Flag::Unpriced.mask() | Flag::Gone.mask()) == 0
    }
}

/// The rank of a kind among those with objects, which orders the log; [`NO_OBJECT`] for others.
pub(super) const fn rank_of(kind: Kind) -> u8 {
    let mut rank = 0;
    while (rank as usize) < KINDS_WITH_OBJECTS.len() {
        if KINDS_WITH_OBJECTS[rank as usize] as u8 == kind as u8 {
            return rank;
        }
        rank += 1;
    }
    NO_OBJECT
}

/// The greatest number that the bits for the rank hold.
pub(super) const NO_OBJECT: u8 = 7;
const _: () = assert!(KINDS_WITH_OBJECTS.len() <= NO_OBJECT as usize, "an entry has room for every rank");

/// A yes or no about an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flag {
    /// Wholly taken back or deleted.
    Gone,
    /// In a currency without a rate.
    Unpriced,
    /// Wholly taken back by a cancellation.
    Cancelled,
    /// There is an [`Extra`].
    Extra,
}

impl Flag {
    const fn mask(self) -> u64 {
        1 << (16 + self as u64)
    }
}

const PLACE_SHIFT: u32 = 20;
const MAX_PARTITION: u64 = 0x1fff;
const MAX_OFFSET: u64 = (1 << 43) - 1;
const MAX_SCALE: u64 = 0x1f;
/// A post's version is its time and two bits of activity: 46 bits.
const POST_VERSION_BITS: u32 = 48;
const MAX_POST_VERSION: u64 = (1 << POST_VERSION_BITS) - 1;
/// A referral's version is its status.
const MAX_REFERRAL_VERSION: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        for place in [EventTime::MIN, EventTime(1), EventTime::MAX] {
            for (partition, offset) in [(0, 0), (8_191, (1 << 43) - 1)] {
                for kind in [Kind::Purchase, Kind::Mention, Kind::Case] {
                    let position = Position { kind, partition, offset };
                    let mut object = Object::new(u64::MAX, place, position);
                    object.entry.set_filters(u16::MAX);
                    for flag in [Flag::Gone, Flag::Unpriced, Flag::Cancelled, Flag::Extra] {
                        assert!(!object.entry.has(flag));
                        object.entry.set(flag, true);
                        assert!(object.entry.has(flag));
                        object.entry.set(flag, false);
                    }
                    assert_eq!((object.entry.place(), object.entry.position()), (place, position));
                    assert_eq!(object.entry.filters(), u16::MAX);
                }
            }
        }
    }

    #[test]
    fn amounts_of_any_size_are_kept_exactly() {
        let position = Position { kind: Kind::Purchase, partition: 7, offset: 9 };
        let mut order = Object::new(1, EventTime(5), position);
        for text in ["0", "12.50", "0.0000000000000000000000000001", "999999999999.999999999999999", "3"] {
            let amount: Decimal = text.parse().expect("a decimal");
            order.set_amount(amount);
            assert_eq!(order.amount(), amount);
            assert_eq!(order.entry.position(), position);
        }
        assert_eq!(order.extra.amount, None, "a small amount needs no extra");
    }

    #[test]
    fn a_posts_alerts_outlast_its_versions() {
        let position = Position { kind: Kind::Mention, partition: 0, offset: 0 };
        let mut post = Object::new(1, EventTime(5), position).entry;
        for alert in [0, 7, 15] {
            post.set_alerted(alert);
        }
        let version = EventTime::MAX.0 << 2 | 3;
        post.set_version(version);
        assert_eq!((post.version(), post.alerted()), (version, 1 | 1 << 7 | 1 << 15));
    }
}
