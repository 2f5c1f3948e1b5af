//! Outputs to the flat JSON value of the contract, and to key and headers of a Kafka record.
//!
//! The order of fields is fixed, so that two runs can be compared byte by byte. Written field by field
//! rather than by deriving, since a line holds what an output does not know: topics, ruleset, run.

mod audit;
pub mod headers;
mod insight;
mod line;
mod overridden;
mod pivot;
mod status;

use std::borrow::Cow;

use serde_json::json;

use crate::model::event::Kind;
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::{Alert, Cause, Change, Decision, Output, Trigger};
use crate::model::record::{DeadLetter, Position};
use crate::model::time::EventTime;
use line::{Line, RoutingJson, Rows, ScalarJson, base64};

/// What every output of a run has in common.
#[derive(Clone, Debug)]
pub struct Wire {
    pub ruleset: String,
    pub hash: String,
    pub run_id: Option<String>,
    /// `live` or `replay`: what an event causes.
    pub origin: &'static str,
    /// The topic of each input kind, by [`Kind`]'s rank; in file replay the kind's name.
    pub topics: [String; Kind::ALL.len()],
}

impl Wire {
    /// The JSON value of an output, without a line end. `decided_at` is the epoch's wall, in replay `None`: its
    /// `occurred_at`.
    pub fn json(&self, output: &Output, decided_at: Option<EventTime>) -> Vec<u8> {
        match output {
            Output::Decision(decision) => self.decision(decision, decided_at),
            Output::Alert(alert) => self.alert(alert, decided_at),
            Output::Status(status) => self.status(status, decided_at),
            Output::Audit(audit) => self.audit(audit, decided_at),
            Output::Insight(insight) => self.insight(insight, decided_at),
            Output::Pivot(found) => self.pivot(found, decided_at),
            Output::DeadLetter(position, letter) => self.dead_letter(*position, letter),
        }
    }

    /// The value on Kafka: JSON, but a dead letter's is the bytes that came, `None` for a null; the status of somebody
    /// erased is a null.
    pub fn value<'a>(&self, output: &'a Output, decided_at: Option<EventTime>) -> Option<Cow<'a, [u8]>> {
        match output {
            Output::DeadLetter(_, letter) => letter.value.as_deref().map(Cow::Borrowed),
            Output::Status(status) if status.content.is_none() => None,
            _ => Some(Cow::Owned(self.json(output, decided_at))),
        }
    }

    /// The key on Kafka: the customer's or account's id, `platform:handle` of an unknown author, the name of what an insight
    /// is about, a dead letter's own.
    pub fn key<'a>(&self, output: &'a Output) -> Option<Cow<'a, [u8]>> {
        match output {
            Output::DeadLetter(_, letter) => letter.key.as_deref().map(Cow::Borrowed),
            _ => subject(output).map(|subject| match subject {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        }
    }

    fn decision(&self, decision: &Decision, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        line.text("event_id", &decision.event_id);
        line.put("type", decision.change.type_name());
        line.put("customer_id", &customer_of(&decision.customer_id));
        line.put_some("account_id", decision.account_id.as_ref());
        line.put("status_seq", &decision.status_seq);
        self.common(&mut line, decision.occurred_at, decided_at, decision.trigger.as_ref(), decision.cause);
        line.put("evidence", &Rows::new(&decision.evidence, &self.topics));
        self.change(&mut line, &decision.change);
        overridden::put(&mut line, decision.overridden.as_deref());
        line.finish()
    }

    /// From `occurred_at` to `run_id`.
    fn common(
        &self,
        line: &mut Line,
        occurred_at: EventTime,
        decided_at: Option<EventTime>,
        trigger: Option<&Trigger>,
        cause: Cause,
    ) {
        line.put("occurred_at", &occurred_at);
        line.put("decided_at", &decided_at.unwrap_or(occurred_at));
        line.put("ruleset", &json!({ "name": self.ruleset, "hash": self.hash }));
        line.put("trigger", &trigger.map(|trigger| self.trigger(trigger)));
        let origin = match cause {
            Cause::Event => self.origin,
            Cause::Timer => "timer",
            Cause::Override => "override",
        };
        line.put("origin", origin);
        line.put_some("run_id", self.run_id.as_ref());
    }

    fn trigger(&self, trigger: &Trigger) -> serde_json::Value {
        let Position { partition, offset, .. } = trigger.position;
        json!({
            "topic": self.topic(trigger.position),
            "partition": partition,
            "offset": offset,
            "event_id": trigger.event_id,
        })
    }

    fn change(&self, line: &mut Line, change: &Change) {
        match change {
            Change::Granted {
                programme,
                profile,
                tier,
                rank,
                valid_until,
                routing,
                greeting,
                entitlements,
                priority,
                weight,
                standing,
            } => {
                line.put("programme", programme);
                line.put("profile", profile);
                line.put_some("tier", tier.as_ref());
                line.put_some("rank", rank.as_ref());
                line.put_some("valid_until", valid_until.as_ref());
                line.put_some("routing", routing.as_ref().map(RoutingJson::of).as_ref());
                line.put_some("greeting", greeting.as_ref());
                line.put("entitlements", entitlements);
                line.put("priority", priority);
                line.put("weight", &ScalarJson(weight));
                line.put("standing", standing);
            }
            Change::Revoked { programme, reason, revokes, standing } => {
                line.put("programme", programme);
                line.put("reason", reason);
                line.text("revokes", revokes);
                line.put("standing", standing);
            }
            Change::Changed { programme, reason, from, to, weight, standing } => {
                line.put("programme", programme);
                line.put("reason", reason);
                line.put("from", from);
                line.put("to", to);
                line.put("weight", &ScalarJson(weight));
                line.put("standing", standing);
            }
            Change::Expiring { programme, valid_until, missing, standing } => {
                line.put("programme", programme);
                line.put("valid_until", valid_until);
                line.put("missing", &Rows::new(missing, &self.topics));
                line.put("standing", standing);
            }
            Change::Waitlisted { programme, rank, value, cut, places, settled_at, standing } => {
                line.put("programme", programme);
                line.put("rank", rank);
                line.put("value", &value.as_ref().map(ScalarJson));
                line.put("cut", &cut.as_ref().map(ScalarJson));
                line.put("places", places);
                line.put("settled_at", settled_at);
                line.put("standing", standing);
            }
            Change::Entered { label, definition } | Change::Left { label, definition } => {
                line.put("label", label);
                line.put("definition", definition);
            }
        }
    }

    fn alert(&self, alert: &Alert, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        line.text("event_id", &alert.event_id);
        line.put("type", ALERT);
        line.text("alert_id", &alert.alert_id);
        line.put("name", &alert.name);
        line.put("kind", alert.kind);
        line.put("customer_id", &alert.customer_id);
        line.put_some("account_id", alert.account_id.as_ref());
        line.put("status_seq", &alert.status_seq);
        self.common(&mut line, alert.occurred_at, decided_at, alert.trigger.as_ref(), alert.cause);
        line.put("evidence", &Rows::new(&alert.evidence, &self.topics));
        line.put_some("level", alert.pivot.map(|(level, _)| level.name()));
        line.put_some("parent", alert.pivot.map(|(_, parent)| parent.to_string()).as_ref());
        line.put("severity", &alert.severity);
        line.put_some("due_at", alert.due_at.as_ref());
        line.put_some("expires_at", alert.expires_at.as_ref());
        let reply_on = alert.reply_on.as_ref();
        line.put_some(
            "reply_on",
            reply_on.map(|(platform, handle)| json!({ "platform": platform, "handle": handle })).as_ref(),
        );
        line.put_some("routing", alert.routing.as_ref().map(RoutingJson::of).as_ref());
        line.put_some("greeting", alert.greeting.as_ref());
        line.put("customer", &json!({ "name": alert.customer_name, "standing": alert.standing }));
        line.finish()
    }

    fn dead_letter(&self, position: Position, letter: &DeadLetter) -> Vec<u8> {
        let mut line = Line::new();
        line.put("type", "dead_letter");
        line.put("topic", self.topic(position));
        line.put("partition", &position.partition);
        line.put("offset", &position.offset);
        line.put("code", letter.code.name());
        line.put("message", &letter.message);
        line.put_some("key_base64", letter.key.as_deref().map(base64).as_ref());
        line.put("value_base64", &letter.value.as_deref().map(base64));
        if let Some(truncated) = letter.truncated {
            line.put("value_bytes", &truncated.full_bytes);
            line.put("value_xxh3", &format_args!("{:016x}", truncated.xxh3));
        }
        line.finish()
    }

    fn topic(&self, position: Position) -> &str {
        &self.topics[position.kind as usize]
    }
}

/// The customer whom a decision is about; `None` where it is about an account.
fn customer_of(id: &CustomerId) -> Option<&CustomerId> {
    Some(id).filter(|id| id.kind() == EntityKind::Customer)
}

/// Whom an output is about: the customer's or account's id, or an unknown author's `platform:handle`. What, of an insight.
fn subject(output: &Output) -> Option<Cow<'_, str>> {
    match output {
        Output::Decision(it) => Some(Cow::Borrowed(it.customer_id.text())),
        Output::Status(it) => Some(Cow::Borrowed(it.customer_id.text())),
        Output::Audit(it) => Some(Cow::Borrowed(it.customer_id.text())),
        Output::Alert(alert) => match (&alert.customer_id, &alert.reply_on) {
            (Some(id), _) => Some(Cow::Borrowed(id.as_str())),
            (None, Some((platform, handle))) => Some(Cow::Owned(format!("{platform}:{handle}"))),
            (None, None) => None,
        },
        Output::Insight(it) => Some(Cow::Borrowed(it.finding.name())),
        Output::Pivot(it) => Some(Cow::Borrowed(it.customer_id.text())),
        Output::DeadLetter(..) => None,
    }
}

/// The `type` of alerts, of standings, of decisions that change nothing visible.
const ALERT: &str = "agent.alert";
const STATUS: &str = "status";
const AUDIT: &str = "decision";

#[cfg(test)]
mod tests;
