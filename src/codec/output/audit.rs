//! A decision that changed nothing visible, as JSON.

use super::line::{Line, Rows};
use super::{AUDIT, Wire, customer_of, overridden};
use crate::model::output::Audit;
use crate::model::time::EventTime;

impl Wire {
    pub(super) fn audit(&self, audit: &Audit, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        line.text("event_id", &audit.event_id);
        line.put("type", AUDIT);
        line.put("customer_id", &customer_of(&audit.customer_id));
        line.put_some("account_id", audit.account_id.as_ref());
        line.put("status_seq", &audit.status_seq);
        self.common(&mut line, audit.occurred_at, decided_at, audit.trigger.as_ref(), audit.cause);
        line.put("evidence", &Rows::new(&audit.evidence, &self.topics));
        line.put("programme", &audit.programme);
        line.put("decision", audit.decision);
        line.put_some("reason", audit.reason.as_ref());
        line.put_some("until", audit.until.as_ref());
        if let Some([from, to]) = &audit.tiers {
            line.put("from", from);
            line.put("to", to);
        }
        line.put("standing", &audit.standing);
        overridden::put(&mut line, audit.overridden.as_deref());
        line.finish()
    }
}
