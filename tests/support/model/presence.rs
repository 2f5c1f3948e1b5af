//! Sessions and visits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vipstream::model::event::{Presence, PresenceState};
use vipstream::model::time::EventTime;

const DAY: Duration = Duration::from_hours(24);

/// Where a customer stands online.
#[derive(Clone, Debug, Default)]
pub(super) struct Visits {
    newest: Option<EventTime>,
    in_visit: bool,
    sessions: BTreeMap<String, Session>,
    /// Alerts that came during this visit.
    pub(super) alerted: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    at: EventTime,
    /// `None`: it was never live.
    until: Option<EventTime>,
}

impl Visits {
    /// Takes in a presence event; says whether it may alert.
    pub(super) fn take(&mut self, presence: &Presence, at: EventTime, as_of: EventTime, visit_gap: Duration) -> bool {
        let last_live = self.sessions.values().filter_map(|session| session.until).max();
        let over = self.newest.max(last_live.map(|until| until.plus(visit_gap)));
        // Nothing that belongs to it can still come.
        if over.is_some_and(|over| over.plus(DAY) <= as_of) {
            *self = Self::default();
        }
        let opens = presence.state != PresenceState::Offline;
        let is_late = self.newest.is_some_and(|newest| at < newest);
        if is_late {
            if self.sessions.get(presence.session_id.as_str()).is_none_or(|session| at >= session.at) {
                self.update(presence, at);
            }
            return false;
        }
        self.newest = Some(at);
        let last_live = self.sessions.values().filter_map(|session| session.until).max();
        if opens && !(self.in_visit && last_live.is_some_and(|until| at < until.plus(visit_gap))) {
            *self = Self { newest: self.newest, in_visit: true, ..Self::default() };
        }
        self.update(presence, at);
        opens
    }

    fn update(&mut self, presence: &Presence, at: EventTime) {
        let until = match presence.state {
            PresenceState::Online | PresenceState::Heartbeat => {
                Some(at.plus(Duration::from_secs(u64::from(presence.ttl_s))))
            }
            PresenceState::Offline => self
                .sessions
                .get(presence.session_id.as_str())
                .and_then(|session| session.until)
                .map(|until| until.min(at)),
        };
        self.sessions.insert(presence.session_id.to_string(), Session { at, until });
    }
}
