//! What follows from an event, and when.

use std::cmp::Ordering;

use crate::model::time::EventTime;

use super::Generated;

/// A follow-up that waits for its time.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) at: EventTime,
    /// Order of planning: settles ties.
    pub(crate) serial: u64,
    pub(crate) customer: u32,
    pub(crate) what: What,
}

/// What will happen. Numbers are those in the ids of orders, sessions, posts, ...
#[derive(Debug)]
pub(crate) enum What {
    Refund {
        order: u64,
        cents: u32,
        ordered: EventTime,
    },
    Cancel {
        order: u64,
        cents: u32,
    },
    Dispute {
        order: u64,
        cents: u32,
    },
    Renew,
    Heartbeat {
        session: u64,
        left: u8,
    },
    Offline {
        session: u64,
    },
    Convert {
        referral: u64,
        referred: u32,
    },
    Reverse {
        referral: u64,
        referred: u32,
    },
    Edit {
        post: u64,
        text: &'static str,
    },
    Delete {
        post: u64,
    },
    Repost {
        post: u64,
        text: &'static str,
    },
    Revise {
        interaction: u64,
    },
    Case {
        case: u64,
        version: u8,
        opened: EventTime,
    },
    /// The same bytes once more.
    Again(Box<Generated>),
}

impl Ord for Later {
    /// Soonest is greatest: a heap hands out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.serial).cmp(&(self.at, self.serial))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}
