//! `--explain`: one customer's decisions in plain words, with what each rests on.

use std::io::Write;

use crate::model::output::pivot::Found;
use crate::model::output::{Audit, Change, Evidence, Output};
use crate::replay::Replayed;

/// Prints each decision, seen or not, alert and pivot about a customer.
pub(super) fn print(mut out: impl Write, id: &str, replayed: &Replayed) -> std::io::Result<()> {
    let mut found = false;
    for output in &replayed.outputs {
        let (time, what, evidence) = match output {
            Output::Decision(it) if it.customer_id.as_str() == id => {
                (it.occurred_at, sentence(&it.change), &it.evidence)
            }
            Output::Alert(it) if it.customer_id.as_ref().is_some_and(|customer| customer.as_str() == id) => {
                (it.occurred_at, format!("ALERT {} ({})", it.name, it.severity), &it.evidence)
            }
            Output::Audit(it) if it.customer_id.as_str() == id => (it.occurred_at, unseen(it), &it.evidence),
            Output::Pivot(it) if it.customer_id.as_str() == id => (it.occurred_at, turned(it), &it.evidence),
            _ => continue,
        };
        found = true;
        writeln!(out, "{time}  {what}")?;
        for row in evidence {
            writeln!(out, "    {}", reason(row))?;
        }
    }
    if !found {
        writeln!(out, "no decision about customer {id}")?;
    }
    Ok(())
}

/// A change in a few words.
pub(crate) fn sentence(change: &Change) -> String {
    match change {
        Change::Granted { programme, tier, rank, valid_until, routing, .. } => {
            let tier = tier.as_ref().map(|tier| format!(", tier {tier}")).unwrap_or_default();
            let until = valid_until.map(|until| format!(", until {until}")).unwrap_or_default();
            let routing = routing.as_ref().and_then(|routing| Some((routing.agent.as_ref()?, routing.reason)));
            let to = routing.map(|(agent, reason)| format!(", goes to {agent} ({reason})")).unwrap_or_default();
            let rank = rank.map(|rank| format!(", rank {rank}")).unwrap_or_default();
            format!("GRANTED {programme}{tier}{rank}{until}{to}")
        }
        Change::Revoked { programme, reason, .. } => format!("REVOKED {programme} ({reason})"),
        Change::Changed { programme, reason, from, to, .. } => {
            let tier = |tier: &Option<compact_str::CompactString>| tier.as_deref().unwrap_or("no tier").to_owned();
            if from == to {
                format!("KEPT {programme}")
            } else {
                format!("CHANGED {programme}: {} to {} ({reason})", tier(from), tier(to))
            }
        }
        Change::Expiring { programme, valid_until, .. } => {
            format!("EXPIRING {programme}, ends {valid_until} unless it holds again")
        }
        Change::Waitlisted { programme, rank, places, .. } => {
            format!("WAITLISTED {programme}: number {rank} on the list for {places} places")
        }
        Change::Entered { label, .. } => format!("is now `{label}`"),
        Change::Left { label, .. } => format!("is no longer `{label}`"),
    }
}

/// A decision that changed nothing visible, in a few words.
fn unseen(audit: &Audit) -> String {
    let until = audit.until.map(|until| format!(", until {until}")).unwrap_or_default();
    format!("{} {}{until}", audit.decision, audit.programme)
}

/// A change in behaviour, or the end of one.
fn turned(found: &Found) -> String {
    let pivot = &found.pivot;
    let said = crate::pivot::sentence::sentence(pivot, &found.currency);
    format!("PIVOT {} ({}): {said}", pivot.kind, pivot.level.name())
}

/// A row of evidence in a few words: `spend_365d = 5210.4 >= 5000 (365d): yes`.
pub(crate) fn reason(row: &Evidence) -> String {
    let value = row.value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let window = row.window.as_ref().map(|window| format!(" over {window}")).unwrap_or_default();
    let test = match (row.op, &row.threshold) {
        (Some(op), Some(threshold)) => format!(", asked {op} {threshold}"),
        _ => String::new(),
    };
    let answer = match row.holds {
        Some(true) => ": holds",
        Some(false) => ": does not hold",
        None => "",
    };
    format!("{}{window} is {value}{test}{answer}", row.feature)
}
