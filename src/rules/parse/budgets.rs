//! `budget:` how many may hold a programme, and `settle:` how often that is decided.

use std::time::Duration;

use rust_decimal::Decimal;

use super::expression;
use crate::rules::budget::{Budget, Places, RankRule};
use crate::rules::fact::Scope;
use crate::rules::ruleset::Programme;
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section};

const SETTLE: Duration = Duration::from_secs(10);

/// From settlement to settlement. What is decided at one is in force by the next; until then two effects are under way.
pub(super) fn settle(top: &mut Section<'_>, hop: Duration, problems: &mut Problems) -> Duration {
    let line = top.line_of("settle");
    let given = top.span("settle", problems);
    let settle = given.unwrap_or(SETTLE.max(hop * 2));
    if settle < hop * 2 {
        let what =
            format!("{settle:?} is less than two hops of {hop:?}: what is decided could not be in force in time");
        problems.add_with_help(line, "settle", what, "make `settle` longer, or `hop` shorter");
    }
    settle
}

/// A programme's budget.
pub(super) fn read(node: &Node, path: &str, scope: &Scope<'_>, problems: &mut Problems) -> Option<Budget> {
    let mut section = Section::open(node, path, problems)?;
    let places = places(&mut section, problems);
    let given = section.take("rank");
    if given.is_none() {
        let help = "say what decides who comes first: `rank: spend_365d`";
        problems.add_with_help(section.line, path, "`rank` is missing", help);
    }
    let rank = given.and_then(|node| rank(node, &section.at("rank"), scope, problems));
    let margin = margin(&mut section, rank.as_ref(), problems);
    let per_line = section.line_of("per");
    let per = section.take("per").and_then(|node| expression(node, &section.at("per"), scope, &[Type::Text], problems));
    if per.is_some() && matches!(places, Some(Places::Share(_))) {
        let what = "a share is one of all active customers, and cannot be had in parts";
        problems.add_with_help(per_line, &section.at("per"), what, "give each part `max`, or leave `per` out");
    }
    section.close(problems);
    Some(Budget { places: places?, rank: rank?, margin, per })
}

/// The budget over all programmes, which ranks nobody: whoever is in a later programme gives way.
pub(super) fn over_all(top: &mut Section<'_>, programmes: &[Programme], problems: &mut Problems) -> Option<Places> {
    let node = top.take("budget")?;
    let mut section = Section::open(node, "budget", problems)?;
    for key in ["rank", "margin", "per"] {
        if let Some(node) = section.take(key) {
            let what = "over all, precedence decides, and then the rank within a programme";
            problems.add_with_help(node.line, &section.at(key), what, format!("leave `{key}` out here"));
        }
    }
    let places = places(&mut section, problems);
    section.close(problems);
    if !programmes.iter().any(|programme| programme.budget.is_some() && !programme.of_account) {
        let what = "no programme for customers has a budget of its own, so nobody could give way";
        problems.add_with_help(node.line, "budget", what, "give those that may wait a `budget` with a `rank`");
    }
    places
}

/// The bound on how many may be members by a person's word alone.
pub(super) fn overrides(top: &mut Section<'_>, problems: &mut Problems) -> Option<Decimal> {
    let node = top.take("overrides")?;
    let mut section = Section::open(node, "overrides", problems)?;
    let given = section.take("max_share");
    if given.is_none() {
        let help = "such as `overrides: { max_share: 5% }`";
        problems.add_with_help(section.line, "overrides", "`max_share` is missing", help);
    }
    let share = given.and_then(|node| percent(node, &section.at("max_share"), WHOLE, problems));
    section.close(problems);
    share
}

/// Exactly one of `max`, `share`, `capacity`.
fn places(section: &mut Section<'_>, problems: &mut Problems) -> Option<Places> {
    let given = ["max", "share", "capacity"].map(|key| (section.at(key), section.take(key)));
    let named = given.iter().filter(|(_, node)| node.is_some()).count();
    let [(max_at, max), (share_at, share), (capacity_at, capacity)] = given;
    if named != 1 {
        let path = max_at.trim_end_matches(".max");
        let what = "says not how many places there are, or says it twice";
        problems.add_with_help(section.line, path, what, "give one of `max`, `share`, `capacity`");
    }
    let max = max.and_then(|node| count(node, &max_at, problems).map(Places::Max));
    let share = share.and_then(|node| percent(node, &share_at, WHOLE, problems).map(Places::Share));
    max.or(share).or_else(|| carried(capacity?, &capacity_at, problems))
}

/// What the agents on shift can carry.
fn carried(node: &Node, path: &str, problems: &mut Problems) -> Option<Places> {
    let mut section = Section::open(node, path, problems)?;
    let team = section.text("team", problems).map(Into::into);
    let at = section.at("per_agent");
    let per_agent = section.take("per_agent").and_then(|node| count(node, &at, problems));
    if per_agent.is_none() {
        problems.add_with_help(section.line, path, "says not how many an agent can carry", "add `per_agent: 20`");
    }
    section.close(problems);
    Some(Places::Capacity { team, per_agent: per_agent? })
}

fn count(node: &Node, path: &str, problems: &mut Problems) -> Option<u64> {
    let text = yaml::text(node, path, problems)?;
    let count = text.parse().ok().filter(|count| *count <= MOST_PLACES);
    if count.is_none() {
        problems.add(node.line, path, format!("`{text}` is no whole number from 0 to {MOST_PLACES}"));
    }
    count
}

/// `10%` as a part of one.
fn percent(node: &Node, path: &str, most: u32, problems: &mut Problems) -> Option<Decimal> {
    let text = yaml::text(node, path, problems)?;
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<Decimal>().ok());
    let percent = number.filter(|number| !number.is_sign_negative() && *number <= Decimal::from(most));
    if percent.is_none() {
        problems.add_with_help(node.line, path, format!("`{text}` is no percentage"), "such as 10% or 0.5%");
    }
    percent.map(|percent| percent / Decimal::ONE_HUNDRED)
}

fn rank(node: &Node, path: &str, scope: &Scope<'_>, problems: &mut Problems) -> Option<RankRule> {
    let text = yaml::text(node, path, problems)?.trim();
    let inner = text.strip_prefix("earliest(").and_then(|rest| rest.strip_suffix(')'));
    let (text, earliest) = inner.map_or((text, false), |inner| (inner.trim(), true));
    let expected: &[Type] = if earliest { &[Type::Time] } else { &[Type::Int, Type::Decimal] };
    let node = Node { line: node.line, value: yaml::Value::Scalar(text.to_owned(), true) };
    Some(RankRule { program: expression(&node, path, scope, expected, problems)?, earliest })
}

fn margin(section: &mut Section<'_>, rank: Option<&RankRule>, problems: &mut Problems) -> Decimal {
    let path = section.at("margin");
    let Some(node) = section.take("margin") else { return Decimal::ZERO };
    if rank.is_some_and(|rank| rank.earliest) {
        problems.add_with_help(
            node.line,
            &path,
            "no instant is a tenth more than another",
            "leave `margin` out beside `earliest`",
        );
    }
    percent(node, &path, MOST_MARGIN, problems).unwrap_or_default()
}

/// Beyond every list that could be kept small.
const MOST_PLACES: u64 = 1_000_000_000;
const WHOLE: u32 = 100;
const MOST_MARGIN: u32 = 1_000;
