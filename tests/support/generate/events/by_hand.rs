//! What people decide: overrides of programmes that exist or not, and acknowledgements of alerts that were raised or not.

use serde_json::{Value as Json, json};

use vipstream::codec::{RawRecord, decode};
use vipstream::model::event::{Body, Event, Kind};
use vipstream::model::id::CustomerId;
use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;

use super::{Dice, Fields, common, maybe, put};

/// A decision, mostly about a customer.
pub(super) fn override_(dice: &mut Dice, at: i64, fields: &mut Fields) {
    let of_account = dice.chance(20);
    if of_account {
        fields.shift_remove("customer_id");
        put(fields, "account_id", format!("k{}", 1 + dice.below(3)));
    }
    let ids = if of_account { "ok" } else { "o" };
    put(fields, "override_id", format!("{ids}{}", dice.below(30)));
    let action = *dice.pick(&["grant", "grant", "grant", "deny", "deny", "lift"]);
    put(fields, "action", action);
    put(fields, "programme", *dice.pick(&PROGRAMMES));
    put(fields, "by", *dice.pick(&["mia", "noa"]));
    put(fields, "reason", *dice.pick(&["goodwill", "abuse \u{2014} twice"]));
    if action != "lift" || dice.chance(20) {
        put(fields, "expires_at", end(dice, at));
    }
    maybe(dice, fields, 30, "tier", &["gold", "silver", "bronze", "brass"]);
    maybe(dice, fields, 20, "approved_by", &["lead"]);
    maybe(dice, fields, 20, "case_id", &["k1"]);
}

/// What somebody did about an alert of that id, or of any.
pub(super) fn acknowledgement(dice: &mut Dice, at: i64, alert_id: Option<String>, fields: &mut Fields) {
    put(fields, "alert_id", alert_id.unwrap_or_else(|| format!("a{}", dice.below(5))));
    put(fields, "action", *dice.pick(&["resolved", "resolved", "resolved", "acknowledged", "dismissed"]));
    put(fields, "by", *dice.pick(&["mia", "noa"]));
    maybe(dice, fields, 40, "note", &["called back", ""]);
    if dice.chance(85) {
        put(fields, "make_vip", json!({ "programme": dice.pick(&PROGRAMMES), "expires_at": end(dice, at) }));
    }
}

/// Somebody answers the alert that a post may have raised, if it can be read: a while later.
pub(in super::super) fn answer(dice: &mut Dice, post: &str, later: i64) -> Option<(i64, Kind, String)> {
    let raw = RawRecord { value: Some(post.as_bytes()), ..RawRecord::default() };
    let event = decode(Kind::Mention, &raw).ok()?;
    let customer = event.customer.as_ref().map_or_else(|| format!("c{}", dice.below(4)), |id| id.text().to_owned());
    let at = event.at.0.saturating_add(later).max(0);
    let mut fields = common(dice, at, &customer);
    acknowledgement(dice, at, Some(alert_id(&event)), &mut fields);
    Some((at, Kind::Acknowledgement, Json::Object(fields).to_string()))
}

/// The id of the complaint, under the name that every generated ruleset has.
fn alert_id(event: &Event) -> String {
    let Body::Mention(mention) = &event.body else { panic!("a post is a mention") };
    let author = CustomerId::author(&mention.platform, &mention.handle);
    let parts = ["acme", "agent.alert", author.text(), "public_complaint", "", "mention", &event.business_key()];
    OutputId::of(&parts, event.at).to_string()
}

fn end(dice: &mut Dice, at: i64) -> String {
    let spans = [1, 60_000, 3_600_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000, 400 * 86_400_000];
    EventTime(at + dice.pick(&spans)).to_string()
}

const PROGRAMMES: [&str; 7] = ["p0", "p0", "p0", "p1", "p1", "p2", "p9"];
