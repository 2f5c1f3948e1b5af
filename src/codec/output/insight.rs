//! What is found about many customers, as JSON.

use serde_json::json;

use super::Wire;
use super::line::{Line, Rows, plain};
use crate::model::output::insight::{ExceptionCandidate, Finding, Insight, OverridesExceeded, PopulationShift};
use crate::model::time::EventTime;
use crate::pivot::Kind;

impl Wire {
    /// No customer, so no `status_seq` either.
    pub(super) fn insight(&self, insight: &Insight, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        line.text("event_id", &insight.event_id);
        line.put("type", insight.finding.type_name());
        line.put("customer_id", &());
        self.common(&mut line, insight.occurred_at, decided_at, insight.trigger.as_ref(), insight.cause);
        line.put("evidence", &Rows::new(&insight.evidence, &self.topics));
        match &insight.finding {
            Finding::ExceptionCandidate(candidate) => put(candidate, &mut line),
            Finding::OverridesExceeded(OverridesExceeded { by_override, members, .. }) => {
                line.put("by_override", by_override);
                line.put("members", members);
            }
            Finding::PopulationShift(shift) => put_shift(shift, &mut line),
        }
        line.finish()
    }
}

fn put(candidate: &ExceptionCandidate, line: &mut Line) {
    line.put("kind", &candidate.kind);
    line.put("cases", &candidate.cases);
    line.put("customers", &candidate.customers);
    let cohorts = candidate.cohorts.iter();
    let cohorts = cohorts.map(|it| json!({ "cohort": it.cohort, "cases": it.cases, "customers": it.customers }));
    line.put("cohorts", &cohorts.collect::<Vec<_>>());
    line.put("approvers", &candidate.approvers);
    line.put("unapproved", &candidate.unapproved);
    line.put("window", &candidate.window);
    line.put("since", &candidate.since);
    line.put("proposal", &candidate.proposal);
}

fn put_shift(shift: &PopulationShift, line: &mut Line) {
    line.put("phase", if shift.until.is_some() { "ended" } else { "began" });
    line.put_some("shift", shift.began.map(|began| began.to_string()).as_ref());
    line.put("kinds", &shift.kinds.iter().copied().map(Kind::name).collect::<Vec<_>>());
    line.put("customers", &shift.customers);
    line.put("expected", &plain(shift.expected).to_string());
    line.put("since", &shift.since);
    line.put_some("until", shift.until.as_ref());
}
