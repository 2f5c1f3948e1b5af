//! What one entity does to another: the work between customers, accounts and handles.
//!
//! An effect is caused by an event or a deadline of one entity and changes another, which may be at home with another
//! task. It is in force at its cause's time and a `hop` of the ruleset's, wherever the two are at home, so the answer
//! does not depend on that.

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::event::{Account, Event, Kind};
use super::id::CustomerId;
use super::money::Currency;
use super::output::Scalar;
use super::record::Position;
use super::settle::{Report, Turn, Verdict};
use super::time::EventTime;

/// Something that an entity does to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub to: CustomerId,
    pub from: CustomerId,
    /// Rises by one with each effect of `from`: the order among those in force at one instant.
    pub number: u32,
    /// From when on it is in force.
    pub at: EventTime,
    /// How many effects in a row have led here, this one included; at most [`MAX_HOPS`].
    pub hops: u8,
    /// The event at the beginning of the row; `None` where time alone was.
    pub origin: Option<Origin>,
    pub does: Does,
}

/// Effects in a row: beyond it the event that began is a dead letter (`too_many_hops`).
pub const MAX_HOPS: u8 = 8;

/// What identifies the event that something goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub event_id: CompactString,
    pub position: Position,
    pub kind: Kind,
    /// Its business key.
    pub key: CompactString,
}

impl Origin {
    /// Of an event, and where it lies.
    pub fn of(event: &Event, position: Position) -> Self {
        Self { event_id: event.event_id.clone(), position, kind: event.kind(), key: event.business_key() }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Does {
    /// An event that is about the target as well, or after all: it is taken in as if it named the target.
    Bring(Box<Event>, Position),
    /// The sender's profile names this handle, since an instant.
    Claim,
    /// The sender's profile names this handle no longer.
    Release,
    /// An event of a referral that names the target, at its time, with its status as a number. The referral is known by
    /// several where its referrers turned out to be one.
    Refer { referrals: Vec<Referral>, at: EventTime, version: i64 },
    /// A referral that names the target no longer, or whose referrer is nobody any more.
    Unrefer { referral: Referral },
    /// Orders of a buyer, whom the target referred, as they stand now, in place of those with other keys; whether one
    /// was taken back.
    Credit { buyer: CustomerId, orders: Vec<Order>, instead: Vec<u64>, refund: bool },
    /// Orders that are credited to the target no longer, by key.
    Uncredit { orders: Vec<u64> },
    /// Somebody whom the target referred is erased.
    Forgotten { who: CustomerId },
    /// The sender is merged into the target, which is to have what was remembered of it: the image of a customer.
    Absorb(Vec<u8>),
    /// Somebody is merged into the target no longer; hashes of the ids under which they are known.
    Part { who: CustomerId, names: Vec<u64> },
    /// The sender was erased: whoever is merged into it no longer is.
    Cut,
    /// At every task: an agent resolved so many more of the sender's cases on a local day, so many of them well.
    Resolved { agent: CompactString, day: i64, cases: i8, well: i8 },
    /// The sender's profile names this account.
    Join,
    /// The sender's profile names this account no longer.
    Leave,
    /// What is remembered of the sender, who joins an account for the first time, as far as accounts count it: the image
    /// of a customer.
    RollUp(Vec<u8>),
    /// What the sender, an account, is and holds.
    Account(Box<AccountSummary>),
    /// How a case of the sender's, by the hash of its key, stands with the target, a kind of exception; `None` where it is
    /// not, or no longer, treated so.
    Except { case: u64, exception: Option<Box<Exceptional>> },
    /// To the settler: what changed at the sender, a task.
    Report(Box<Report>),
    /// To the settler: the sender, a task, has reported all that changed at it up to an instant.
    Reached(EventTime),
    /// From the settler to every task: what parts of all customers do not exceed, by place in the ruleset, as of when.
    Cuts { settled_at: EventTime, values: Vec<Option<Decimal>> },
    /// From the settler to every task: of which kinds of pivots there are far more than usual, or no longer, as of when.
    Shifts { settled_at: EventTime, turns: Vec<Turn> },
    /// From the settler: what was decided about the target.
    Verdict(Box<Verdict>),
}

/// A case that is treated off the written process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceptional {
    /// Its earliest event.
    pub place: EventTime,
    /// Which of the ruleset's cohorts the customer was in.
    pub cohort: CompactString,
    /// Hash of who approved of it.
    pub approved_by: Option<u64>,
    /// The record that said so.
    pub position: Position,
}

/// What a referral is known by. Its ids are those it was told with: whoever has one may be merged into another since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Referral {
    pub referrer: CustomerId,
    /// Hash of its key, which leaves the referrer out.
    pub key: u64,
    /// Hash of the id that was referred.
    pub referred: u64,
}

/// What an account tells its contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    /// What is read of its newest record; `None` where that is nothing.
    pub record: Option<Account>,
    /// Programmes that it holds, by place in the ruleset, and the place of the tier in each.
    pub held: Vec<(u8, Option<u8>)>,
}

/// How an order stands: whole, so that telling it again changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Hash of its id, of the buyer's and of the referrer's.
    pub key: u64,
    pub place: EventTime,
    pub position: Position,
    /// As sent.
    pub amount: Decimal,
    pub currency: Currency,
    /// Key, amount and currency of each refund.
    pub refunds: Vec<(u64, Decimal, Currency)>,
    pub cancelled: bool,
    /// What rules read of the purchases of referred customers, in their order.
    pub fields: Vec<Option<Scalar>>,
}
