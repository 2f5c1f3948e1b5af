//! One output in words: who, what, and why.

use serde_json::Value;

use crate::model::time::EventTime;

/// A decision or an alert, as its JSON tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct News {
    pub(super) at: EventTime,
    pub(super) what: What,
    /// The customer's id; nothing for a stranger.
    pub(super) customer: Option<String>,
    /// What to call the one it is about.
    pub(super) who: String,
    /// Programme (with its tier), label or alert.
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
            Self::Entered => "entered",
            Self::Left => "left",
            Self::Alert => "alert",
        }
    }

    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "vip.granted" => Self::Granted,
            "vip.revoked" => Self::Revoked,
            "vip.changed" => Self::Changed,
            "vip.expiring" => Self::Expiring,
            "cohort.entered" => Self::Entered,
            "cohort.left" => Self::Left,
            "agent.alert" => Self::Alert,
            _ => return None,
        })
    }
}

impl News {
    /// Reads an output; `name_of` knows customers' names. Nothing for what is neither decision nor alert.
    pub(super) fn read(output: &Value, name_of: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let text = |field: &str| output[field].as_str().map(str::to_owned);
        let what = What::of(output["type"].as_str()?)?;
        let customer = text("customer_id");
        let who = match &customer {
            Some(id) => name_of(id).map_or_else(|| id.clone(), |name| format!("{name} ({id})")),
            None => output["reply_on"]["handle"].as_str().unwrap_or("somebody").to_owned(),
        };
        let standing = if what == What::Alert { &output["customer"]["standing"] } else { &output["standing"] };
        let standing = standing.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self {
            at: instant(output["occurred_at"].as_str()?)?,
            what,
            name: text("programme").or_else(|| text("label")).or_else(|| text("name"))?,
            tier: text("tier").or_else(|| text("to")),
            why: why(what, output),
            customer,
            who,
            standing,
        })
    }
}

fn instant(text: &str) -> Option<EventTime> {
    text.parse::<jiff::Timestamp>().ok().map(|time| EventTime(time.as_millisecond()))
}

/// The reason in plain words, from the evidence.
fn why(what: What, output: &Value) -> String {
    let rows = |holding: bool| {
        let evidence = output["evidence"].as_array().into_iter().flatten();
        let words: Vec<String> =
            evidence.filter(|row| row["holds"].as_bool() == Some(holding)).map(|row| reason(row, holding)).collect();
        words.join(", ")
    };
    let text = |field: &str| output[field].as_str().unwrap_or_default();
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
        What::Expiring => format!("ends {} unless kept: {}", day(text("valid_until")), rows(false)),
        What::Alert => {
            let due = output["due_at"].as_str().map(|due| format!(", answer by {}", hour(due))).unwrap_or_default();
            let on = output["reply_on"]["platform"].as_str().map(|on| format!(" on {on}")).unwrap_or_default();
            let severity = if text("severity") == "high" { "urgent: " } else { "" };
            format!("{severity}{}{due}{on}", rows(true))
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
    if holding { format!("{feature} {value} {op} {threshold}") } else { format!("{feature} {value}, needs {op} {threshold}") }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

fn hour(time: &str) -> &str {
    time.get(11..16).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(output: &Value) -> News {
        News::read(output, |id| (id == "c-1").then(|| "Amber Fox".to_owned())).unwrap()
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
        assert_eq!(news.who, "Amber Fox (c-1)");
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
        assert_eq!(news.why, "urgent: public, sentiment -0.6 <= -0.4, answer by 10:37 on x");
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
        assert_eq!(read(&expiring).why, "ends 2026-01-19 unless kept: spend 8, needs >= 9");
    }

    #[test]
    fn what_is_no_output_is_no_news() {
        assert_eq!(News::read(&json!({"type": "dead_letter"}), |_| None), None);
        assert_eq!(News::read(&json!([]), |_| None), None);
    }
}
