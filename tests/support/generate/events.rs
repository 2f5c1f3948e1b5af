//! One event of any kind as a line, and visits: presence in bursts.

pub(super) mod by_hand;
pub(super) mod habit;

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::Kind;
use vipstream::model::time::EventTime;

use super::dice::Dice;

type Fields = Map<String, Json>;

/// An event of any kind at an instant.
pub(super) fn event(dice: &mut Dice, at: i64, customers: usize) -> (i64, Kind, String) {
    let kind = *dice.pick(&KINDS);
    of_kind(dice, kind, at, customers)
}

/// An event of a kind at an instant.
pub(super) fn of_kind(dice: &mut Dice, kind: Kind, at: i64, customers: usize) -> (i64, Kind, String) {
    let customer = format!("c{}", dice.below(customers));
    let mut fields = common(dice, at, &customer);
    match kind {
        Kind::FxRate => fx_rate(dice, at, &mut fields),
        Kind::Account => account(dice, at, &mut fields),
        Kind::Agent => agent(dice, &mut fields),
        Kind::Purchase => purchase(dice, &customer, at, &mut fields),
        Kind::Csat => csat(dice, &mut fields),
        Kind::Mention => mention(dice, &customer, &mut fields),
        Kind::Referral => referral(dice, &mut fields),
        Kind::Presence => presence(dice, &customer, &mut fields),
        Kind::Case => case(dice, at, &mut fields),
        Kind::Engagement => engagement(dice, &customer, &mut fields),
        Kind::Override => by_hand::override_(dice, at, &mut fields),
        Kind::Acknowledgement => by_hand::acknowledgement(dice, at, None, &mut fields),
        Kind::Customer => profile(dice, &mut fields),
        Kind::Erasure => erasure(dice, &mut fields),
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    }
    (at, kind, Json::Object(fields).to_string())
}

/// Some presence events of one customer, at the distances that decide about visits.
pub(super) fn visit(dice: &mut Dice, at: i64, customers: usize) -> Vec<(i64, Kind, String)> {
    let customer = format!("c{}", dice.below(customers));
    let mut at = at;
    let mut events = Vec::new();
    for _ in 0..2 + dice.below(8) {
        let mut fields = common(dice, at, &customer);
        presence(dice, &customer, &mut fields);
        events.push((at, Kind::Presence, Json::Object(fields).to_string()));
        at += dice
            .pick(&[0, 1_000, 30_000, 60_000, 300_000, 360_000, 1_800_000, 1_860_000, 1_859_999, 1_890_000, 5_400_000]);
    }
    events
}

fn common(dice: &mut Dice, at: i64, customer: &str) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "event_id", format!("e{}", dice.below(100_000)));
    put(&mut fields, "customer_id", customer);
    let time = match dice.below(4) {
        0 => json!(at),
        1 => json!(with_offset(at)),
        2 => json!(EventTime(at).to_string().replace('Z', "999Z")),
        _ => json!(EventTime(at).to_string()),
    };
    put(&mut fields, "occurred_at", time);
    if dice.chance(10) {
        put(&mut fields, "source", "shop");
        put(&mut fields, "no_such_field", json!({ "deep": [1, null, "x"] }));
    }
    fields
}

/// The same instant in Nepal, which is 5:45 ahead.
fn with_offset(at: i64) -> String {
    EventTime(at + 20_700_000).to_string().replace('Z', "+05:45")
}

fn purchase(dice: &mut Dice, customer: &str, at: i64, fields: &mut Fields) {
    let status = *dice.pick(&[
        "completed",
        "completed",
        "completed",
        "completed",
        "refunded",
        "refunded",
        "cancelled",
        "disputed",
    ]);
    let owner = if dice.chance(15) { "c0" } else { customer };
    put(fields, "order_id", format!("{owner}-o{}", dice.below(9)));
    put(fields, "status", status);
    put(fields, "amount", if status == "refunded" && dice.chance(50) { json!(3_000) } else { amount(dice) });
    put(fields, "currency", *dice.pick(&["EUR", "EUR", "EUR", "EUR", "EUR", "EUR", "EUR", "USD", "USD", "GBP"]));
    if status != "completed" && dice.chance(50) {
        put(fields, "refund_id", *dice.pick(&["r1", "r2", ""]));
    }
    maybe(dice, fields, 60, "category", &["trip", "music", "books", "žuželka"]);
    maybe(dice, fields, 40, "channel", &["web", "shop", "phone"]);
    if dice.chance(50) {
        put(fields, "items", dice.number(0, 9));
    }
    if dice.chance(15) {
        let end = at + dice.number(-2, 120) * 43_200_000;
        let end = EventTime(end.max(0)).to_string();
        let end = if dice.chance(50) { end[..10].to_owned() } else { end };
        put(fields, "subscription", json!({ "plan": "gold", "period_end": end }));
    }
    maybe(dice, fields, 15, "account_id", &["k1", "k2"]);
    if dice.chance(4) {
        put(fields, "test", true);
    }
}

fn amount(dice: &mut Dice) -> Json {
    match dice.below(9) {
        0 => json!(0),
        1 => json!("0.00"),
        2 => json!(100),
        3 => json!("100.000"),
        4 => json!(dice.number(1, 99)),
        5 => json!(format!("{}.{:02}", dice.number(0, 400), dice.number(0, 99))),
        6 => json!(format!("0.{:012}", dice.number(0, 999_999_999_999))),
        7 => json!(12.25),
        _ => json!(format!("{}", dice.number(50, 2_000))),
    }
}

fn csat(dice: &mut Dice, fields: &mut Fields) {
    put(fields, "interaction_id", format!("i{}", if dice.chance(20) { dice.below(40) } else { dice.below(5) }));
    match dice.below(4) {
        0 => {
            put(fields, "score", dice.number(0, 10));
            put(fields, "scale_min", 0);
            put(fields, "scale_max", 10);
        }
        1 => {
            put(fields, "score", *dice.pick(&["1.5", "2", "6.999"]));
            put(fields, "scale_max", 7);
        }
        _ => {
            put(fields, "score", dice.number(1, 5));
            put(fields, "scale_max", 5);
        }
    }
    if dice.chance(20) {
        put(fields, "higher_is_better", dice.chance(30));
    }
    if dice.chance(50) {
        put(fields, "revision", dice.number(0, 3));
    }
    maybe(dice, fields, 40, "case_id", &["k0", "k1", "k2", "k3"]);
    maybe(dice, fields, 40, "agent_id", &AGENTS);
    maybe(dice, fields, 50, "instrument", &["csat", "nps", "ces", "smiley"]);
    maybe(dice, fields, 30, "channel", &["mail", "web"]);
}

fn mention(dice: &mut Dice, customer: &str, fields: &mut Fields) {
    if dice.chance(20) {
        fields.shift_remove("customer_id");
    }
    put(fields, "platform", *dice.pick(&["x", "x", "fb"]));
    put(fields, "handle", format!("@{customer}"));
    put(fields, "public", dice.chance(80));
    if dice.chance(90) {
        put(fields, "post_id", format!("p{}", dice.below(5)));
    }
    maybe(
        dice,
        fields,
        85,
        "activity",
        &["create", "create", "create", "update", "update", "delete", "repost", "like"],
    );
    if dice.chance(70) {
        put(fields, "text", *dice.pick(&TEXTS));
    }
    if dice.chance(40) {
        put(fields, "sentiment", *dice.pick(&[-1.0, -0.5, -0.4, -0.3999, 0.0, 0.25, 1.0]));
    }
    if dice.chance(50) {
        put(fields, "followers", dice.number(0, 3_000));
    }
    maybe(dice, fields, 20, "lang", &["en", "sl"]);
}

fn referral(dice: &mut Dice, fields: &mut Fields) {
    let who = if dice.chance(75) { format!("c{}", dice.below(6)) } else { format!("n{}", dice.below(4)) };
    put(fields, "referred_customer_id", who);
    put(fields, "status", *dice.pick(&["signed_up", "converted", "converted", "reversed"]));
    maybe(dice, fields, 20, "referral_id", &["ref1", "ref2"]);
    if dice.chance(60) {
        put(fields, "value", amount(dice));
    }
    maybe(dice, fields, 60, "currency", &["EUR", "EUR", "GBP", "USD"]);
}

fn presence(dice: &mut Dice, customer: &str, fields: &mut Fields) {
    put(fields, "session_id", format!("{customer}-s{}", dice.below(3)));
    put(fields, "state", *dice.pick(&["online", "heartbeat", "heartbeat", "offline"]));
    if dice.chance(70) {
        put(fields, "ttl_s", *dice.pick(&[1, 60, 60, 90, 3_600]));
    }
    maybe(dice, fields, 50, "channel", &["web", "app"]);
}

fn case(dice: &mut Dice, at: i64, fields: &mut Fields) {
    put(fields, "case_id", format!("k{}", if dice.chance(20) { dice.below(40) } else { dice.below(4) }));
    put(fields, "version", dice.number(1, 6));
    put(
        fields,
        "state",
        *dice.pick(&[
            "opened",
            "updated",
            "reopened",
            "transferred",
            "escalated",
            "solved",
            "solved",
            "closed",
            "closed",
        ]),
    );
    maybe(dice, fields, 70, "agent_id", &AGENTS);
    if dice.chance(50) {
        let opened_at = at - dice.number(-1, 100) * 1_800_000;
        put(fields, "opened_at", opened_at.max(0));
        put(fields, "solved_at", (opened_at + dice.number(-2, 200) * 1_799_999).max(0));
        put(fields, "first_response_at", (opened_at + dice.number(-2, 200) * 59_999).max(0));
    }
    maybe(dice, fields, 40, "priority", &["low", "urgent"]);
    if dice.chance(40) {
        put(fields, "reopens", dice.number(0, 3));
    }
    if dice.chance(40) {
        put(fields, "sla_breached", dice.chance(50));
    }
    if dice.chance(60) {
        let mut exception = json!({ "kind": *dice.pick(&["refund", "refund", "refund", "late swap", "Ünusual"]) });
        if dice.chance(60) {
            exception["approved_by"] = json!(*dice.pick(&["lead", "boss"]));
        }
        put(fields, "exception", exception);
    }
}

fn engagement(dice: &mut Dice, customer: &str, fields: &mut Fields) {
    put(fields, "engagement_id", format!("{customer}-g{}", dice.below(30)));
    put(
        fields,
        "action",
        *dice.pick(&["sent", "open", "click", "click", "visit", "login", "feature", "reply", "unsubscribe"]),
    );
    maybe(dice, fields, 50, "campaign_id", &["spring", "autumn"]);
    if dice.chance(20) {
        put(fields, "machine", dice.chance(70));
    }
}

fn profile(dice: &mut Dice, fields: &mut Fields) {
    put(fields, "version", dice.number(1, 8));
    maybe(dice, fields, 60, "name", &["Ann \"A\" O'Hara", "Bo\\b", "Ćiril\n"]);
    maybe(dice, fields, 60, "role", &["partner", "reference", "king"]);
    maybe(dice, fields, 60, "region", &["west", "east"]);
    maybe(dice, fields, 30, "support_level", &["premium", "basic"]);
    maybe(dice, fields, 40, "account_manager", &["mia", "a2"]);
    maybe(dice, fields, 40, "preferred_channel", &["phone", "chat"]);
    if dice.chance(50) {
        let handles = (0..=dice.below(2)).map(|_| json!({ "platform": "x", "handle": format!("@c{}", dice.below(4)) }));
        put(fields, "handles", handles.collect::<Vec<_>>());
    }
    maybe(dice, fields, 60, "account_id", &["k1", "k1", "k2", "k3"]);
    if dice.chance(40) {
        let attributes = [
            json!({ "tier": "A", "score": 1.5 }),
            json!({ "tier": "AB", "score": "1.5", "seats": 40 }),
            json!({ "tier": 2 }),
        ];
        put(fields, "attributes", dice.pick(&attributes).clone());
    }
    if dice.chance(30) {
        put(fields, "merged_into", format!("c{}", dice.below(5)));
    }
}

fn erasure(dice: &mut Dice, fields: &mut Fields) {
    put(fields, "request_id", format!("q{}", dice.below(20)));
    if dice.chance(30) {
        put(fields, "deadline", 1_800_000_000_000_i64);
    }
}

/// A rate of about that day, to the currency of the rules.
fn fx_rate(dice: &mut Dice, at: i64, fields: &mut Fields) {
    without_customer(dice, fields);
    let base = *dice.pick(&["USD", "USD", "GBP"]);
    let (from, to) = if dice.chance(75) { (base, "EUR") } else { ("EUR", base) };
    put(fields, "base", from);
    put(fields, "quote", if dice.chance(97) { to } else { "CHF" });
    let rate = if base == "GBP" { dice.number(11_200, 11_999) } else { dice.number(8_500, 9_999) };
    let text = format!("{}.{:04}", rate / 10_000, rate % 10_000);
    put(fields, "rate", if dice.chance(50) { json!(text) } else { json!(0.875) });
    let day = EventTime((at + dice.number(-7, 2) * 86_400_000).max(0)).to_string();
    put(fields, "valid_on", &day[..10]);
}

fn account(dice: &mut Dice, at: i64, fields: &mut Fields) {
    without_customer(dice, fields);
    put(fields, "account_id", format!("k{}", 1 + dice.below(3)));
    put(fields, "version", dice.number(1, 9));
    maybe(dice, fields, 60, "name", &["Acme", "Bolt & Söhne"]);
    maybe(dice, fields, 20, "parent_account_id", &["k1", "k9"]);
    maybe(dice, fields, 70, "tier", &["A", "B"]);
    maybe(dice, fields, 40, "account_manager", &["a1", "a2"]);
    if dice.chance(40) {
        let day = EventTime((at + dice.number(-40, 80) * 86_400_000).max(0)).to_string();
        put(fields, "renewal_on", &day[..10]);
    }
    if dice.chance(40) {
        put(fields, "icp_fit", *dice.pick(&[0.5, 0.875]));
        put(fields, "contract_value", amount(dice));
    }
    if dice.chance(20) {
        let attributes = [json!({ "seats": 40, "since": "2019" }), json!({ "seats": "40", "since": 2019 })];
        put(fields, "attributes", dice.pick(&attributes).clone());
    }
}

fn agent(dice: &mut Dice, fields: &mut Fields) {
    without_customer(dice, fields);
    put(fields, "agent_id", format!("a{}", 1 + dice.below(4)));
    put(fields, "version", dice.number(1, 9));
    put(fields, "state", *dice.pick(&["online", "online", "away", "offline"]));
    maybe(dice, fields, 60, "name", &["Mia", "Noa"]);
    maybe(dice, fields, 60, "team", &["concierge", "care"]);
    if dice.chance(50) {
        put(fields, "skills", dice.pick(&[json!([]), json!(["billing"]), json!(["billing", "sl"])]).clone());
    }
    if dice.chance(60) {
        put(fields, "capacity", dice.number(1, 6));
        put(fields, "open_cases", dice.number(0, 6));
    }
}

/// What is about no customer mostly names none.
fn without_customer(dice: &mut Dice, fields: &mut Fields) {
    if dice.chance(90) {
        fields.shift_remove("customer_id");
    }
}

fn put(fields: &mut Fields, name: &str, value: impl Into<Json>) {
    fields.insert(name.to_owned(), value.into());
}

fn maybe(dice: &mut Dice, fields: &mut Fields, percent: usize, name: &str, words: &[&str]) {
    if dice.chance(percent) {
        put(fields, name, *dice.pick(words));
    }
}

const AGENTS: [&str; 4] = ["a1", "a2", "a3", "a4"];

const KINDS: [Kind; 24] = [
    Kind::Case,
    Kind::Case,
    Kind::Customer,
    Kind::Customer,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Purchase,
    Kind::Csat,
    Kind::Csat,
    Kind::Mention,
    Kind::Mention,
    Kind::Mention,
    Kind::Referral,
    Kind::Referral,
    Kind::Presence,
    Kind::Presence,
    Kind::Case,
    Kind::Engagement,
    Kind::Engagement,
    Kind::Customer,
];

const TEXTS: [&str; 7] = [
    "",
    "This is horrible, the worst shop ever!",
    "This is wonderful, the best shop ever!",
    "It broke. I HATE it :(",
    "not bad at all 🙂",
    "it arrived",
    "Čakam že tri tedne\u{1f621}",
];
