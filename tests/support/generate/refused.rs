//! Lines that are no events, one for each reason to refuse one.

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::Kind;

use super::dice::Dice;

/// A line that every reader must refuse.
pub(super) fn line(dice: &mut Dice, kind: Kind) -> Vec<u8> {
    let mut event = plain(kind);
    match dice.below(16) {
        0 => return b"null".to_vec(),
        1 => return b"{\"event_id\": \"e1\", \"customer_id\": ".to_vec(),
        2 => return b"{\"event_id\": \"\xff\xfe\"}".to_vec(),
        3 => return format!("{}1{}", "[".repeat(100), "]".repeat(100)).into_bytes(),
        4 => return dice.pick(&[&b"[]"[..], b"17", b"\"text\"", b"true"]).to_vec(),
        5 => {
            event.insert("padding".to_owned(), json!("x".repeat(1 << 20)));
        }
        6 => {
            let required = *dice.pick(required(kind));
            event.shift_remove(required);
        }
        7 => {
            let required = *dice.pick(required(kind));
            event.insert(required.to_owned(), json!([]));
        }
        8 => {
            event.insert("occurred_at".to_owned(), dice.pick(&bad_times()).clone());
        }
        9 => {
            event.insert("event_id".to_owned(), json!("e".repeat(257)));
        }
        10 | 11 => {
            let (name, id) = dice.pick(&bad_ids(kind)).clone();
            event.insert(name.to_owned(), id);
        }
        _ => special(dice, kind, &mut event),
    }
    Json::Object(event).to_string().into_bytes()
}

fn bad_times() -> [Json; 7] {
    [
        json!("2025-01-01T00:00:00"),
        json!("2025-13-01T00:00:00Z"),
        json!("yesterday"),
        json!("2025-01-01"),
        json!("1969-12-31T23:59:59Z"),
        json!("2600-01-01T00:00:00Z"),
        json!(-1),
    ]
}

/// Ids that the engine could take for those that it makes itself, and others with control characters.
fn bad_ids(kind: Kind) -> Vec<(&'static str, Json)> {
    let names: &[&str] = match kind {
        Kind::FxRate => &[],
        Kind::Account => &["account_id", "parent_account_id", "account_manager"],
        Kind::Agent => &["agent_id"],
        Kind::Customer => &["customer_id", "merged_into", "account_id", "account_manager"],
        Kind::Erasure => &["customer_id", "request_id"],
        Kind::Purchase => &["customer_id", "account_id", "order_id", "refund_id"],
        Kind::Csat => &["customer_id", "interaction_id", "case_id", "agent_id"],
        Kind::Mention => &["customer_id", "platform", "handle", "post_id"],
        Kind::Referral => &["customer_id", "referred_customer_id", "referral_id"],
        Kind::Presence => &["customer_id", "session_id"],
        Kind::Case => &["customer_id", "case_id", "agent_id"],
        Kind::Engagement => &["customer_id", "engagement_id"],
        Kind::Override => &["customer_id", "override_id", "programme", "by", "tier", "approved_by", "case_id"],
        Kind::Acknowledgement => &["customer_id", "alert_id", "by"],
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    };
    let names = ["event_id"].iter().chain(names);
    let ids = ["\u{1}x:@c0", "\u{2}a0", "\u{3}", "\0", "c\n0", "c0\u{7f}"];
    names.flat_map(|name| ids.iter().map(|id| (*name, json!(id)))).collect()
}

/// What is wrong only in events of this kind.
fn special(dice: &mut Dice, kind: Kind, event: &mut Map<String, Json>) {
    let choices: Vec<(&str, Json)> = match kind {
        Kind::FxRate => vec![
            ("rate", json!(0)),
            ("rate", json!("-1")),
            ("rate", json!("1000000000000.1")),
            ("rate", json!("dear")),
            ("base", json!("usd")),
            ("quote", json!("EURO")),
            ("valid_on", json!("2025-02-30")),
            ("valid_on", json!("2025-01-01T00:00:00Z")),
        ],
        Kind::Account => vec![
            ("version", json!(-1)),
            ("icp_fit", json!("good")),
            ("renewal_on", json!("soon")),
            ("contract_value", json!(-1)),
            ("attributes", json!([])),
        ],
        Kind::Agent => vec![
            ("state", json!("busy")),
            ("skills", json!("billing")),
            ("skills", json!([1])),
            ("skills", json!([""])),
            ("capacity", json!(-1)),
            ("open_cases", json!("2")),
        ],
        Kind::Customer => vec![("version", json!("1")), ("name", json!(1)), ("handles", json!("@x"))],
        Kind::Erasure => vec![("request_id", json!(7)), ("deadline", json!("soon"))],
        Kind::Purchase => vec![
            ("amount", json!(-0.01)),
            ("amount", json!("1000000000000")),
            ("amount", json!("12,50")),
            ("currency", json!("EURO")),
            ("currency", json!("eur")),
            ("status", json!("paid")),
            ("items", json!("two")),
            ("items", json!(-1)),
            ("test", json!("yes")),
            ("order_id", json!("o".repeat(300))),
            ("subscription", json!({ "period_end": "soon" })),
        ],
        Kind::Csat => {
            vec![("score", json!(6)), ("score", json!(0)), ("scale_max", json!(1)), ("higher_is_better", json!(1))]
        }
        Kind::Mention => vec![("sentiment", json!(1.5)), ("public", json!("yes")), ("followers", json!("many"))],
        Kind::Referral => vec![("status", json!("lost")), ("value", json!("-1")), ("currency", json!("ABC"))],
        Kind::Presence => vec![("state", json!("away")), ("ttl_s", json!(0)), ("ttl_s", json!(86_401))],
        Kind::Case => vec![("state", json!("lost")), ("version", json!("first")), ("sla_breached", json!(0))],
        Kind::Override => vec![
            ("action", json!("promote")),
            ("expires_at", json!("2024-06-01T00:00:00Z")),
            ("expires_at", json!("2024-05-31T00:00:00Z")),
            ("expires_at", json!("soon")),
            ("reason", json!("")),
            ("reason", json!("x".repeat(1_025))),
        ],
        Kind::Acknowledgement => vec![
            ("action", json!("seen")),
            ("note", json!(1)),
            ("note", json!("x".repeat(1_025))),
            ("make_vip", json!([])),
            ("make_vip", json!({ "programme": "p0" })),
            ("make_vip", json!({ "expires_at": "2025-01-01T00:00:00Z" })),
            ("make_vip", json!({ "programme": "p0", "expires_at": "2024-01-01T00:00:00Z" })),
        ],
        Kind::Engagement => vec![("action", json!("dance")), ("machine", json!("no"))],
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    };
    let (name, value) = dice.pick(&choices).clone();
    event.insert(name.to_owned(), value);
}

const fn required(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::FxRate => &["event_id", "occurred_at", "base", "quote", "rate", "valid_on"],
        Kind::Account => &["event_id", "occurred_at", "account_id", "version"],
        Kind::Agent => &["event_id", "occurred_at", "agent_id", "version", "state"],
        Kind::Customer => &["event_id", "customer_id", "occurred_at", "version"],
        Kind::Erasure => &["event_id", "customer_id", "occurred_at", "request_id"],
        Kind::Purchase => &["event_id", "customer_id", "occurred_at", "order_id", "amount", "currency", "status"],
        Kind::Csat => &["event_id", "customer_id", "interaction_id", "score", "scale_max"],
        Kind::Mention => &["event_id", "occurred_at", "platform", "handle", "public"],
        Kind::Referral => &["event_id", "customer_id", "referred_customer_id", "status"],
        Kind::Presence => &["event_id", "customer_id", "session_id", "state"],
        Kind::Case => &["event_id", "customer_id", "case_id", "version", "state"],
        Kind::Engagement => &["event_id", "customer_id", "engagement_id", "action"],
        Kind::Override => {
            &["event_id", "customer_id", "override_id", "action", "programme", "by", "reason", "expires_at"]
        }
        Kind::Acknowledgement => &["event_id", "customer_id", "alert_id", "action", "by"],
        Kind::ReferredPurchase => &[],
    }
}

fn plain(kind: Kind) -> Map<String, Json> {
    let event = json!({ "event_id": "bad", "customer_id": "c0", "occurred_at": "2024-06-01T00:00:00Z" });
    let more = match kind {
        Kind::FxRate => json!({ "base": "USD", "quote": "EUR", "rate": "0.9", "valid_on": "2025-01-01" }),
        Kind::Account => json!({ "account_id": "bad", "version": 1 }),
        Kind::Agent => json!({ "agent_id": "bad", "version": 1, "state": "online" }),
        Kind::Customer => json!({ "version": 99 }),
        Kind::Erasure => json!({ "request_id": "bad" }),
        Kind::Purchase => json!({ "order_id": "bad", "amount": "1", "currency": "EUR", "status": "completed" }),
        Kind::Csat => json!({ "interaction_id": "bad", "score": 3, "scale_max": 5 }),
        Kind::Mention => json!({ "platform": "x", "handle": "@bad", "public": true }),
        Kind::Referral => json!({ "referred_customer_id": "bad", "status": "converted" }),
        Kind::Presence => json!({ "session_id": "bad", "state": "online" }),
        Kind::Case => json!({ "case_id": "bad", "version": 1, "state": "opened" }),
        Kind::Engagement => json!({ "engagement_id": "bad", "action": "click" }),
        Kind::Override => {
            json!({ "override_id": "bad", "action": "deny", "programme": "p0", "by": "mia", "reason": "bad", "expires_at": "2025-06-01T00:00:00Z" })
        }
        Kind::Acknowledgement => json!({ "alert_id": "bad", "action": "dismissed", "by": "mia" }),
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    };
    let (Json::Object(mut event), Json::Object(more)) = (event, more) else { unreachable!("both are objects") };
    event.extend(more);
    event
}
