//! Sessions and visits: who is online, and which alerts this visit has raised already.

use super::apply::hash;
use super::customer::Customer;
use crate::model::event::{Presence, PresenceState};
use crate::model::time::EventTime;
use crate::rules::ruleset::DEDUP;
use std::time::Duration;

/// The present or last visit of a customer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Visit {
    /// Greatest presence event time.
    pub(super) newest: EventTime,
    /// Sessions of this visit: key, newest event, live until.
    pub(super) sessions: Vec<(u64, EventTime, EventTime)>,
    /// Alerts raised in this visit, by place in the ruleset.
    pub(super) alerted: u16,
}

/// Most sessions of one visit; beyond, the one that ends first is forgotten.
const MAX_SESSIONS: usize = 64;
/// What stands for a session that was never live.
const NEVER_LIVE: EventTime = EventTime(i64::MIN);

impl Customer {
    /// Takes in a presence event; says whether it may alert: online or heartbeat, and not older than the newest.
    pub(super) fn attend(&mut self, presence: &Presence, at: EventTime, gap: Duration) -> bool {
        self.lapses = self.lapses.min(at.plus(DEDUP));
        let rare = self.rare();
        let fresh = Visit { newest: at, sessions: Vec::new(), alerted: 0 };
        let is_live = presence.state != PresenceState::Offline;
        let visit = rare.visit.get_or_insert_with(|| Box::new(fresh.clone()));
        let is_newest = at >= visit.newest;
        if is_newest {
            visit.newest = at;
            let live_until = visit.sessions.iter().map(|(.., until)| *until).max();
            if is_live && live_until.is_none_or(|until| at >= until.plus(gap)) {
                **visit = fresh;
            }
        }
        visit.update(hash(&presence.session_id), presence, at);
        is_newest && is_live
    }
}

impl Visit {
    /// From when on no presence event that is still taken in could belong to it, or come before it.
    pub(super) fn over_at(&self, gap: Duration) -> EventTime {
        let live_until = self.sessions.iter().map(|(.., until)| *until).max().unwrap_or(NEVER_LIVE);
        self.newest.max(live_until.plus(gap)).plus(DEDUP)
    }

    fn update(&mut self, key: u64, presence: &Presence, at: EventTime) {
        let known = self.sessions.iter().position(|(other, ..)| *other == key);
        if known.is_some_and(|index| at < self.sessions[index].1) {
            return;
        }
        let until = match (presence.state, known) {
            (PresenceState::Offline, Some(index)) => self.sessions[index].2.min(at),
            (PresenceState::Offline, None) => NEVER_LIVE,
            _ => at.plus(Duration::from_secs(u64::from(presence.ttl_s))),
        };
        if let Some(index) = known {
            self.sessions[index] = (key, at, until);
            return;
        }
        if self.sessions.len() >= MAX_SESSIONS
            && let Some(first) = (0..self.sessions.len()).min_by_key(|index| self.sessions[*index].2)
        {
            self.sessions.swap_remove(first);
        }
        self.sessions.push((key, at, until));
    }
}
