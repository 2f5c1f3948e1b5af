//! When customers are there: visits, cases, answers to campaigns.

use crate::model::event::Kind;
use crate::model::time::EventTime;

use super::later::What;
use super::story::after;
use super::{Generated, HOUR_MS, Load};

impl Load {
    /// Opens a visit: a heartbeat a minute follows, mostly a sign-off in the end.
    pub(super) fn come_online(&mut self, index: u32, at: EventTime, out: &mut Generated) {
        let session = self.number();
        let left = u8::try_from(self.random.below(MAX_HEARTBEATS + 1)).expect("at most MAX_HEARTBEATS");
        self.presence(index, session, "online", at, out);
        self.plan_visit(index, session, left, at);
    }

    /// Shows that a visit goes on.
    pub(super) fn stay_online(&mut self, index: u32, session: u64, left: u8, out: &mut Generated) {
        let at = out.at;
        self.presence(index, session, "heartbeat", at, out);
        self.plan_visit(index, session, left - 1, at);
    }

    fn plan_visit(&mut self, index: u32, session: u64, left: u8, at: EventTime) {
        if left > 0 {
            self.plan(after(at, 60_000), index, What::Heartbeat { session, left });
        } else if self.random.chance(SIGNED_OFF) {
            let wait = self.random.within(1_000, 60_000);
            self.plan(after(at, wait), index, What::Offline { session });
        }
    }

    /// One sign of life of a visit.
    pub(super) fn presence(&mut self, index: u32, session: u64, state: &str, at: EventTime, out: &mut Generated) {
        let page = self.random.pick(&PAGES);
        let mut line = self.line(index, at, out, Kind::Presence);
        line.id("session_id", "s-", session);
        line.text("state", state);
        line.text("channel", if session.is_multiple_of(3) { "app" } else { "web" });
        if state == "online" {
            line.text("page", page);
        }
        line.close();
    }

    /// Asks for help.
    pub(super) fn open_case(&mut self, index: u32, at: EventTime, out: &mut Generated) {
        let case = self.number();
        self.case(index, case, 1, at, at, out);
    }

    /// Takes a case to a state.
    pub(super) fn case(
        &mut self,
        index: u32,
        case: u64,
        version: u8,
        opened: EventTime,
        at: EventTime,
        out: &mut Generated,
    ) {
        let (state, agent) = (CASE_STATES[usize::from(version) - 1], case % 12);
        let mut line = self.line(index, at, out, Kind::Case);
        line.id("case_id", "k-", case);
        line.number("version", u64::from(version));
        line.text("state", state);
        line.id("agent_id", "a-", agent);
        line.time("opened_at", opened);
        if state == "solved" {
            line.time("solved_at", at);
        }
        line.close();
        if usize::from(version) < CASE_STATES.len() {
            let wait = self.random.within(HOUR_MS / 4, 30 * HOUR_MS);
            self.plan(after(at, wait), index, What::Case { case, version: version + 1, opened });
        }
    }

    /// Answers a campaign, or does not.
    pub(super) fn engage(&mut self, index: u32, at: EventTime, out: &mut Generated) {
        let (engagement, action) = (self.number(), self.random.pick(&ACTIONS));
        let (campaign, machine) = (self.random.below(20), action == "open" && self.random.chance(0.3));
        let mut line = self.line(index, at, out, Kind::Engagement);
        line.id("engagement_id", "g-", engagement);
        line.text("action", action);
        line.id("campaign_id", "m-", campaign);
        line.text("channel", "email");
        if machine {
            line.flag("machine", true);
        }
        line.close();
    }
}

const PAGES: [&str; 5] = ["/", "/orders", "/help", "/pricing", "/returns"];
/// What becomes of a case, version by version.
const CASE_STATES: [&str; 4] = ["opened", "updated", "solved", "closed"];
const ACTIONS: [&str; 7] = ["sent", "sent", "sent", "open", "click", "visit", "login"];
/// Records of one visit and of one case on average.
pub(super) const VISIT_RECORDS: f64 = 1.0 + 1.5 + SIGNED_OFF;
pub(super) const CASE_RECORDS: f64 = 4.0;
/// Heartbeats of a visit: 0 to this many, each as likely.
const MAX_HEARTBEATS: u64 = 3;
/// Share of visits that end with a word.
const SIGNED_OFF: f64 = 0.85;
