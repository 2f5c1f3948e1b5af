//! One output in words: who, what, and why.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::model::time::EventTime;

/// What it takes to say an output in words.
#[derive(Debug)]
pub(super) struct Words {
    /// Customers' names by their ids.
    pub(super) names: BTreeMap<String, String>,
    /// Where the rules' days begin.
    pub(super) zone: TimeZone,
}

impl Words {
    /// The local date and time of an instant, in minutes.
    fn minute(&self, at: EventTime) -> String {
        let time = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// A decision or an alert, as its JSON tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct News {
    pub(super) at: EventTime,
    /// The same in the rules' timezone: `2026-01-05 11:22`.
    pub(super) time: String,
    pub(super) what: What,
    /// The customer's id; nothing for a stranger.
    pub(super) customer: Option<String>,
    /// What to call the one it is about.
    pub(super) who: String,
    /// Programme, label or alert.
    pub(super) name: String,
    pub(super) tier: Option<String>,
    pub(super) why: String,
    /// The programmes held after it.
    pub(super) standing: Vec<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Granted,
    Revoked,
    Changed,
    Expiring,
    Waitlisted,
    Entered,
    Left,
    Alert,
}

impl What {
    /// In one word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Changed => "changed",
            Self::Expiring => "expiring",
            Self::Waitlisted => "waiting",
            Self::Entered => "entered",
            Self::Left => "left",
            Self::Alert => "alert",
        }
    }

    /// Whether it changes a label, not a standing.
    pub(super) const fn is_label(self) -> bool {
        matches!(self, Self::Entered | Self::Left)
    }

    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "vip.granted" => Self::Granted,
            "vip.revoked" => Self::Revoked,
            "vip.changed" => Self::Changed,
            "vip.expiring" => Self::Expiring,
            "vip.waitlisted" => Self::Waitlisted,
            "cohort.entered" => Self::Entered,
            "cohort.left" => Self::Left,
            "agent.alert" => Self::Alert,
            _ => return None,
        })
    }
}

impl News {
    /// Reads an output. Nothing for what is neither decision nor alert.
    pub(super) fn read(output: &Value, words: &Words) -> Option<Self> {
        let text = |field: &str| output[field].as_str().map(str::to_owned);
        let what = What::of(output["type"].as_str()?)?;
        let customer = text("customer_id");
        let who = match &customer {
            Some(id) => words.names.get(id).map_or_else(|| id.clone(), |name| format!("{name} ({id})")),
            None => output["reply_on"]["handle"].as_str().unwrap_or("somebody").to_owned(),
        };
        let at = instant(&output["occurred_at"])?;
        Some(Self {
            at,
            time: words.minute(at),
            what,
            name: text("programme").or_else(|| text("label")).or_else(|| text("name"))?,
            tier: text("tier").or_else(|| text("to")),
            why: why(what, output, words),
            customer,
            who,
            standing: standing(what, output).map(str::to_owned).collect(),
        })
    }
}

/// The programmes held after it.
fn standing(what: What, output: &Value) -> impl Iterator<Item = &str> {
    let list = if what == What::Alert { &output["customer"]["standing"] } else { &output["standing"] };
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn instant(value: &Value) -> Option<EventTime> {
    value.as_str()?.parse::<jiff::Timestamp>().ok().map(|time| EventTime(time.as_millisecond()))
}

/// The reason in plain words, from the evidence.
fn why(what: What, output: &Value, words: &Words) -> String {
    let rows = |holding: bool| {
        let evidence = output["evidence"].as_array().into_iter().flatten();
        let reasons: Vec<String> =
            evidence.filter(|row| row["holds"].as_bool() == Some(holding)).map(|row| reason(row, holding)).collect();
        reasons.join(", ")
    };
    let text = |field: &str| output[field].as_str().unwrap_or_default();
    let minute = |field: &str| instant(&output[field]).map(|at| words.minute(at)).unwrap_or_default();
    match what {
        What::Granted | What::Entered => rows(true),
        What::Revoked if text("reason") == "refund_reversed" => format!("after a refund: {}", rows(false)),
        What::Revoked | What::Left => rows(false),
        What::Changed if text("reason") == "kept" => format!("stays after all: {}", rows(true)),
        What::Changed => {
            let tier = |field: &str| output[field].as_str().unwrap_or("no tier").to_owned();
            let rise = text("reason") == "tier_rise";
            format!("{} to {}: {}", tier("from"), tier("to"), rows(rise))
        }
        What::Waitlisted => format!("number {} on the list: {}", output["rank"], rows(true)),
        What::Expiring => format!("ends {} unless kept: {}", minute("valid_until"), rows(false)),
        What::Alert => {
            let on = output["reply_on"]["platform"].as_str().map(|on| format!(", answer on {on}")).unwrap_or_default();
            let due = minute("due_at").split_once(' ').map(|(_, due)| format!(" by {due}")).unwrap_or_default();
            let held: Vec<&str> = standing(what, output).collect();
            let reasons = rows(true);
            let reasons = if reasons == "vip" { format!("holds {}", held.join(", ")) } else { reasons };
            let severity = if text("severity") == "high" { "urgent: " } else { "" };
            format!("{severity}{reasons}{on}{due}")
        }
    }
}

/// One row of evidence: `spend_365d 5210.4 >= 5000`, or what is missing.
fn reason(row: &Value, holding: bool) -> String {
    let feature = row["feature"].as_str().unwrap_or_default();
    let feature = feature.strip_prefix("event.").unwrap_or(feature);
    let Some(op) = row["op"].as_str() else {
        let value = row["value"].as_bool().unwrap_or(holding);
        return if value { feature.to_owned() } else { format!("not {feature}") };
    };
    let (value, threshold) = (plain(&row["value"]), plain(&row["threshold"]));
    if holding {
        format!("{feature} {value} {op} {threshold}")
    } else {
        format!("{feature} {value}, needs {op} {threshold}")
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words() -> Words {
        let names = BTreeMap::from([("c-1".to_owned(), "Amber Fox".to_owned())]);
        Words { names, zone: TimeZone::get("Europe/Ljubljana").unwrap() }
    }

    fn read(output: &Value) -> News {
        News::read(output, &words()).unwrap()
    }

    #[test]
    fn a_grant_says_what_was_reached() {
        let news = read(&json!({
            "type": "vip.granted", "customer_id": "c-1", "occurred_at": "2026-01-05T10:22:00.000Z",
            "programme": "big_spender", "tier": "silver", "standing": ["big_spender"],
            "evidence": [
                {"feature": "spend_365d", "window": "365d", "value": "5210.4", "threshold": 5000, "op": ">=", "holds": true},
                {"feature": "friends", "value": 1, "threshold": 4, "op": ">=", "holds": false},
                {"feature": "subscribed", "value": true, "holds": true},
            ],
        }));
        assert_eq!((news.who.as_str(), news.time.as_str()), ("Amber Fox (c-1)", "2026-01-05 11:22"));
        assert_eq!(news.why, "spend_365d 5210.4 >= 5000, subscribed");
        assert_eq!((news.what, news.tier.as_deref()), (What::Granted, Some("silver")));
    }

    #[test]
    fn a_revocation_says_what_is_missing() {
        let mut output = json!({
            "type": "vip.revoked", "customer_id": "c-2", "occurred_at": "2026-01-05T10:22:00.000Z",
            "programme": "big_spender", "reason": "rule_false", "standing": [],
            "evidence": [
                {"feature": "spend_365d", "value": "3990", "threshold": 4000, "op": ">=", "holds": false},
                {"feature": "subscribed", "value": false, "holds": false},
            ],
        });
        let news = read(&output);
        assert_eq!(news.who, "c-2");
        assert_eq!(news.why, "spend_365d 3990, needs >= 4000, not subscribed");
        output["reason"] = json!("refund_reversed");
        assert_eq!(read(&output).why, "after a refund: spend_365d 3990, needs >= 4000, not subscribed");
    }

    #[test]
    fn an_alert_says_where_and_until_when_to_answer() {
        let news = read(&json!({
            "type": "agent.alert", "customer_id": null, "name": "public_complaint", "severity": "high",
            "occurred_at": "2026-01-05T10:22:00.000Z", "due_at": "2026-01-05T10:37:00.000Z",
            "reply_on": {"platform": "x", "handle": "@guest"}, "customer": {"name": null, "standing": []},
            "evidence": [
                {"feature": "event.public", "value": true, "holds": true},
                {"feature": "event.sentiment", "value": "-0.6", "threshold": "-0.4", "op": "<=", "holds": true},
            ],
        }));
        assert_eq!(news.who, "@guest");
        assert_eq!(news.why, "urgent: public, sentiment -0.6 <= -0.4, answer on x by 11:37");
    }

    #[test]
    fn an_alert_for_a_vip_says_by_which_programmes() {
        let news = read(&json!({
            "type": "agent.alert", "customer_id": "c-1", "name": "vip_online", "severity": "normal",
            "occurred_at": "2026-01-05T10:22:00.000Z", "customer": {"name": "Amber Fox", "standing": ["big", "sub"]},
            "evidence": [{"feature": "vip", "value": true, "holds": true}],
        }));
        assert_eq!(news.why, "holds big, sub");
        assert_eq!(news.standing, ["big", "sub"]);
    }

    #[test]
    fn tiers_and_expiry_say_from_where_to_where() {
        let change = json!({
            "type": "vip.changed", "customer_id": "c-1", "occurred_at": "2026-01-05T10:22:00.000Z",
            "programme": "big_spender", "reason": "tier_rise", "from": null, "to": "gold", "standing": ["big_spender"],
            "evidence": [{"feature": "spend", "value": 10, "threshold": 9, "op": ">=", "holds": true}],
        });
        assert_eq!(read(&change).why, "no tier to gold: spend 10 >= 9");
        let expiring = json!({
            "type": "vip.expiring", "customer_id": "c-1", "occurred_at": "2026-01-05T10:22:00.000Z",
            "programme": "big_spender", "valid_until": "2026-01-19T10:22:00.000Z", "standing": ["big_spender"],
            "evidence": [{"feature": "spend", "value": 8, "threshold": 9, "op": ">=", "holds": false}],
        });
        assert_eq!(read(&expiring).why, "ends 2026-01-19 11:22 unless kept: spend 8, needs >= 9");
    }

    #[test]
    fn what_is_no_output_is_no_news() {
        assert_eq!(News::read(&json!({"type": "dead_letter"}), &words()), None);
        assert_eq!(News::read(&json!([]), &words()), None);
    }
}
