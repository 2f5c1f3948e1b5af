//! `pivots:` which changes in behaviour are looked for.

use super::{Known, expression, population, words};
use crate::pivot::Kind;
use crate::pivot::budget::Budget;
use crate::pivot::priors::Priors;
use crate::pivot::settings::Settings;
use crate::rules::pivots::{PivotRule, bit};
use crate::rules::ruleset::{Label, Programme};
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section};

/// Reads `pivots:`, all but `for`, which may read what other rules give.
pub(super) fn read<'a>(
    top: &mut Section<'a>,
    priors: Option<&str>,
    problems: &mut Problems,
) -> Option<(Option<PivotRule>, Option<&'a Node>)> {
    let node = top.take("pivots")?;
    let mut section = Section::open(node, "pivots", problems)?;
    let [watch, alert] = ["watch", "alert"].map(|level| {
        let path = section.at(level);
        section.take(level).map(|node| rate(node, &path, problems))
    });
    let kinds = section.take("kinds").map_or(EVERY, |node| kinds(node, &section.at("kinds"), problems));
    let of = section.take("for");
    let at = section.at("population");
    let population = section.take("population").and_then(|node| population::read(node, &at, problems));
    let path = section.at("priors");
    let priors = section
        .take("priors")
        .map_or_else(|| Some(Priors::default()), |node| read_priors(node, &path, priors, problems));
    section.close(problems);
    // A rate that cannot be read was named already.
    let rate = |rate: Option<Option<f64>>| rate.map_or(Some(None), |rate| rate.map(Some));
    let budget = rate(watch).zip(rate(alert)).and_then(|(watch, alert)| {
        let budget = Budget::new(watch, alert).map_err(|error| {
            let help = "such as `alert: 1 per 100 customer-years`";
            problems.add_with_help(node.line, "pivots", error.to_string(), help);
        });
        budget.ok()
    });
    let settings = budget.zip(priors).map(|(budget, priors)| Settings::new(priors, budget));
    Some((settings.map(|settings| PivotRule { settings, kinds, of: None, population }), of))
}

/// Reads `for`: the standing that it sees is that before the event.
pub(super) fn of(
    rule: PivotRule,
    node: Option<&Node>,
    known: Known<'_>,
    (labels, programmes): (&[Label], &[Programme]),
    problems: &mut Problems,
) -> PivotRule {
    let mut scope = known.scope();
    scope.percentiles = None;
    scope.labels = labels.iter().map(|label| label.name.as_str()).collect();
    scope.programmes = programmes.iter().map(|programme| programme.name.as_str()).collect();
    scope.vip = true;
    let of = node.and_then(|node| expression(node, "pivots.for", &scope, &[Type::Bool], problems));
    PivotRule { of, ..rule }
}

/// What `vipstream calibrate` wrote.
fn read_priors(node: &Node, path: &str, priors: Option<&str>, problems: &mut Problems) -> Option<Priors> {
    let name = yaml::text(node, path, problems)?;
    let help = "`vipstream calibrate` writes it; it lies beside the ruleset's file";
    let Some(priors) = priors else {
        problems.add_with_help(node.line, path, format!("the priors `{name}` are not there"), help);
        return None;
    };
    let read = serde_json::from_str(priors);
    read.map_err(|error| problems.add_with_help(node.line, path, format!("`{name}`: {error}"), help)).ok()
}

/// `1 per 100 customer-years` as alarms per customer-year.
fn rate(node: &Node, path: &str, problems: &mut Problems) -> Option<f64> {
    let text = yaml::text(node, path, problems)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    let rate = match words.as_slice() {
        [alarms, "per", years, "customer-years"] => {
            number(alarms).zip(number(years)).map(|(alarms, years)| alarms / years)
        }
        [alarms, "per", "customer-year"] => number(alarms),
        _ => None,
    };
    if rate.is_none() {
        let help = "how many false alarms of each kind, such as `1 per 100 customer-years`";
        problems.add_with_help(node.line, path, format!("`{text}` is no budget of false alarms"), help);
    }
    rate
}

pub(super) fn kinds(node: &Node, path: &str, problems: &mut Problems) -> u16 {
    let known = || Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Recovered | Kind::Settled));
    let mut found = 0;
    let words = words(node, path, problems);
    if words.is_empty() {
        problems.add_with_help(node.line, path, "names no kind", "leave it out to be told of every kind");
    }
    for (line, word) in words {
        if let Some(kind) = known().find(|kind| kind.name() == word) {
            found |= bit(kind);
            continue;
        }
        let names: Vec<&str> = known().map(Kind::name).collect();
        let near = yaml::suggest(word, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        let help = format!("{}known: {}", near.unwrap_or_default(), names.join(", "));
        problems.add_with_help(line, path, format!("`{word}` is no kind of pivot"), help);
    }
    found
}

/// Every kind.
pub(super) const EVERY: u16 = u16::MAX;
