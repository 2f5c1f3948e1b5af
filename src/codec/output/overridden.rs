//! What a person decided about a programme, as JSON.

use serde::Serialize;

use super::line::Line;
use crate::model::names::Named;
use crate::model::output::overridden::{Overridden, Verdict};
use crate::model::time::EventTime;

/// Puts `override` and `rule` where there are any.
pub(super) fn put(line: &mut Line, overridden: Option<&Overridden>) {
    line.put_some("override", overridden.map(OverrideJson::of).as_ref());
    line.put_some("rule", overridden.and_then(VerdictJson::of).as_ref());
}

#[derive(Serialize)]
pub(super) struct OverrideJson<'a> {
    override_id: &'a str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a str>,
    by: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<EventTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_id: Option<&'a str>,
}

impl<'a> OverrideJson<'a> {
    pub(super) fn of(it: &'a Overridden) -> Self {
        let Overridden { override_id, action, tier, by, reason, expires_at, approved_by, case_id, rule: _ } = it;
        Self {
            override_id,
            action: action.name(),
            tier: tier.as_deref(),
            by,
            reason,
            expires_at: *expires_at,
            approved_by: approved_by.as_deref(),
            case_id: case_id.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct VerdictJson {
    expression: &'static str,
    holds: bool,
}

impl VerdictJson {
    pub(super) fn of(it: &Overridden) -> Option<Self> {
        it.rule.map(|Verdict { expression, holds }| Self { expression, holds })
    }
}
