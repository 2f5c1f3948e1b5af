//! What a person decided about a programme, and what its rule says all the same.

use compact_str::CompactString;

use crate::model::event::OverrideAction;
use crate::model::time::EventTime;

/// A person's decision, with the rule's own beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    pub override_id: CompactString,
    pub action: OverrideAction,
    /// The tier that it names, where the programme has it.
    pub tier: Option<CompactString>,
    pub by: CompactString,
    pub reason: CompactString,
    /// `None` of a lift.
    pub expires_at: Option<EventTime>,
    pub approved_by: Option<CompactString>,
    pub case_id: Option<CompactString>,
    /// `None` where the decision is refused: it is not looked at then.
    pub rule: Option<Verdict>,
}

/// What the rule says. Its rows are the output's evidence, or the programme's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `keep` of somebody for whom the rule has held so far; else `grant`, and that `keep` is not false.
    pub expression: &'static str,
    pub holds: bool,
}
