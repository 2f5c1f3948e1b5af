//! A customer's whole standing, as JSON.

use serde::Serialize;

use super::line::{Line, RoutingJson, Rows, ScalarJson};
use super::{STATUS, Wire, customer_of};
use crate::model::id::EntityKind;
use crate::model::output::status::{Content, Membership, Progress, Status, Waitlist};
use crate::model::time::EventTime;

impl Wire {
    /// In a file, where there is no null value beside a key, the line of somebody erased says so.
    pub(super) fn status(&self, status: &Status, decided_at: Option<EventTime>) -> Vec<u8> {
        let mut line = Line::new();
        let Some(content) = &status.content else {
            line.put("type", STATUS);
            line.put("customer_id", &customer_of(&status.customer_id));
            if status.customer_id.kind() == EntityKind::Account {
                line.put("account_id", status.customer_id.text());
            }
            line.put("status", &());
            return line.finish();
        };
        line.text("event_id", &status.event_id);
        line.put("type", STATUS);
        line.put("customer_id", &customer_of(&status.customer_id));
        line.put_some("account_id", content.account_id.as_ref());
        line.put("status_seq", &status.status_seq);
        self.common(&mut line, status.occurred_at, decided_at, status.trigger.as_ref(), status.cause);
        put(content, &mut line);
        line.finish()
    }
}

fn put(content: &Content, line: &mut Line) {
    line.put_some("name", content.name.as_ref());
    line.put_some("merged_into", content.merged_into.as_ref());
    line.put("standing", &content.standing);
    line.put("programmes", &content.programmes.iter().map(MembershipJson::of).collect::<Vec<_>>());
    line.put("labels", &content.labels);
    line.put("weight", &ScalarJson(&content.weight));
    line.put_some("routing", content.routing.as_ref().map(RoutingJson::of).as_ref());
    line.put_some("greeting", content.greeting.as_ref());
    line.put("entitlements", &content.entitlements);
    line.put_some("channel", content.channel.as_ref());
    line.put("progress", &content.progress.iter().map(ProgressJson::of).collect::<Vec<_>>());
}

#[derive(Serialize)]
struct MembershipJson<'a> {
    programme: &'a str,
    profile: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a str>,
    since: EventTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<EventTime>,
}

impl<'a> MembershipJson<'a> {
    fn of(it: &'a Membership) -> Self {
        let Membership { programme, profile, tier, since, valid_until } = it;
        Self { programme, profile, tier: tier.as_deref(), since: *since, valid_until: *valid_until }
    }
}

#[derive(Serialize)]
struct ProgressJson<'a> {
    programme: &'a str,
    held: bool,
    rows: Rows<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waitlist: Option<WaitlistJson<'a>>,
}

#[derive(Serialize)]
struct WaitlistJson<'a> {
    rank: u32,
    value: Option<ScalarJson<'a>>,
    cut: Option<ScalarJson<'a>>,
    since: EventTime,
}

impl<'a> ProgressJson<'a> {
    fn of(it: &'a Progress) -> Self {
        let waitlist = it.waitlist.as_ref().map(|Waitlist { rank, value, cut, since }| WaitlistJson {
            rank: *rank,
            value: value.as_ref().map(ScalarJson),
            cut: cut.as_ref().map(ScalarJson),
            since: *since,
        });
        Self { programme: &it.programme, held: it.held, rows: Rows::without_samples(&it.rows), waitlist }
    }
}
