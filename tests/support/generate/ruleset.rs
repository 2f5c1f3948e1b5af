//! Rulesets from a family of templates: every function, window and clause, with thresholds that bite.

use std::fmt::Write as _;

use super::dice::Dice;

/// What a feature can be compared with.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Int,
    Decimal,
    Text,
}

/// A feature's template: name, function, filter (may be empty), type, and thresholds or words to compare with.
type Template = (&'static str, &'static str, &'static str, Type, &'static [&'static str]);

/// What an expression may read.
struct Scope {
    features: Vec<(String, Type, &'static [&'static str])>,
    /// Facts that are true or false.
    bools: Vec<String>,
    /// Whole predicates that only this place may contain.
    others: Vec<String>,
    /// What all customers have may be asked for.
    of_all: bool,
}

/// A rule file.
pub(super) fn ruleset(dice: &mut Dice, zone: &str, mut pivots: Option<&mut Dice>) -> String {
    let mut text = format!("ruleset: acme\ncurrency: EUR\ntimezone: {zone}\n");
    for line in [
        "visit_gap: 5m",
        "hop: 10m",
        "lateness: 5m",
        "skip_grace: [refund]",
        "skip_grace: [refund, override, rule_change]",
    ] {
        let twice = text.contains("skip_grace") && line.contains("skip_grace");
        if dice.chance(30) && !twice {
            let _ = writeln!(text, "{line}");
        }
    }
    let mut scope = Scope {
        features: Vec::new(),
        bools: vec!["subscribed".to_owned()],
        others: Vec::new(),
        of_all: dice.chance(20),
    };
    text.push_str("features:\n");
    for number in 0..3 + dice.below(6) {
        feature(dice, number, &mut scope, &mut text);
    }
    scope.others.extend(PROFILE.iter().map(|&predicate| predicate.to_owned()));
    let (of_all, with_overrides) = (scope.of_all, dice.chance(20));
    let with_accounts = dice.chance(50);
    if with_accounts {
        scope.others.extend(ACCOUNT.iter().map(|&predicate| predicate.to_owned()));
    }
    if let Some(dice) = &mut pivots {
        let read = 2 + dice.below(4);
        scope.bools.extend((0..read).map(|_| format!("pivot.{}", dice.pick(&ENDING))));
    }
    if dice.chance(70) {
        text.push_str("labels:\n");
        if let Some(dice) = &mut pivots {
            let _ = writeln!(text, "  turned: \"pivot.{} || pivot.{}\"", dice.pick(&ENDING), dice.pick(&ENDING));
        }
        for number in 0..=dice.below(3) {
            let _ = writeln!(text, "  l{number}: \"{}\"", predicate(dice, &scope, 2));
            scope.bools.push(format!("label.l{number}"));
        }
    }
    let (with_budgets, mut can_give_way) = (dice.chance(45), false);
    if with_overrides {
        let _ = writeln!(text, "overrides: {{ max_share: {} }}", dice.pick(&["0%", "5%", "25%", "50%", "12.5%"]));
    }
    if with_budgets || of_all || with_overrides {
        // Rarely the default: then only what touches something is worth deciding on, and everything is late in `live`.
        if dice.chance(90) {
            let _ = writeln!(text, "settle: {}", dice.pick(&["30m", "1h", "6h", "1d", "1d", "7d"]));
        }
    }
    text.push_str("#over-all\n");
    text.push_str("programmes:\n");
    let features = scope.features.clone();
    let bools = vec!["subscribed".to_owned()];
    let others = ACCOUNT.iter().map(|&predicate| predicate.to_owned()).collect();
    let mut of_accounts = Scope { features, bools, others, of_all: false };
    for number in 0..=dice.below(3) + usize::from(with_budgets) {
        let of_account = with_accounts && dice.chance(60);
        let with_budget = with_budgets && dice.chance(75);
        let own = if of_account { &mut of_accounts } else { &mut scope };
        programme(dice, number, (of_account, with_budget), own, &mut text);
        if with_budget {
            budget(dice, of_account, &scope, &mut text);
            // Over all, somebody must be able to give way.
            can_give_way |= !of_account;
        }
        if of_account {
            // Contacts hold it too.
            scope.bools.push(format!("held.p{number}"));
        }
    }
    scope.of_all = false;
    if dice.chance(60) {
        exceptions(dice, &scope, &mut text);
    }
    let mut on_pivots = String::new();
    if let Some(dice) = pivots {
        pivot_rule(dice, &scope, &mut text);
        if dice.chance(50) {
            on_pivots = alert_on_pivots(dice, &scope, &text);
        }
    }
    scope.of_all = of_all;
    let over_all =
        if can_give_way && dice.chance(40) { format!("budget: {{ {} }}\n", places(dice)) } else { String::new() };
    text = text.replace("#over-all\n", &over_all);
    alerts(dice, &mut scope, &mut text);
    text.push_str(&on_pivots);
    // What is read has to be told.
    let read: Vec<&str> = ENDING.into_iter().filter(|kind| text.contains(&format!("pivot.{kind}"))).collect();
    if !read.is_empty() {
        text = text.replacen("\n  kinds: [", &format!("\n  kinds: [{}, ", read.join(", ")), 1);
    }
    if dice.chance(70) {
        let weights = [("gold", "3"), ("silver", "2.50"), ("bronze", "1"), ("none", "0.5")];
        let known = weights.iter().filter(|(tier, _)| *tier == "none" || text.contains(&format!("      {tier}: ")));
        let known: Vec<String> = known.map(|(tier, weight)| format!("{tier}: {weight}")).collect();
        let _ = writeln!(text, "weights: {{ {} }}", known.join(", "));
    }
    text
}

/// Few cases are enough, so that kinds of exceptions come and go.
fn exceptions(dice: &mut Dice, scope: &Scope, text: &mut String) {
    text.push_str("exceptions:\n");
    match dice.below(4) {
        0 => {}
        1 => text.push_str("  cohort: region\n"),
        _ => {
            let when = if dice.chance(50) { "vip".to_owned() } else { predicate(dice, scope, 1) };
            let _ = writeln!(text, "  cohort: \"{when} ? 'dear' : 'other'\"");
        }
    }
    let customers = 1 + dice.below(3);
    let (cases, over) = (customers + dice.below(3), dice.pick(&["1d", "3d", "30d", "6h", "45m", "month"]));
    let _ = writeln!(text, "  candidate: {{ cases: {cases}, customers: {customers}, over: {over} }}");
}

/// Loose budgets, so that little shows much.
fn pivot_rule(dice: &mut Dice, scope: &Scope, text: &mut String) {
    text.push_str("pivots:\n");
    for line in *dice.pick(&BUDGETS) {
        let _ = writeln!(text, "  {line}");
    }
    if dice.chance(30) {
        let _ = writeln!(text, "  for: \"{}\"", predicate(dice, scope, 1));
    }
    if dice.chance(25) {
        let kinds: Vec<&str> = (0..=dice.below(6)).map(|_| *dice.pick(&FOUND)).collect();
        let _ = writeln!(text, "  kinds: [{}]", kinds.join(", "));
    }
    if dice.chance(60) {
        let (pivots, least) = (dice.pick(&["hold", "mark"]), 1 + dice.below(3));
        let (over, times) = (dice.pick(&["1h", "3d", "20d", "30d"]), dice.pick(&["0", "0", "0.1", "1"]));
        let _ = writeln!(text, "  population: {{ pivots: {pivots}, over: {over}, times: {times}, least: {least} }}");
        if !text.contains("settle: ") {
            let _ = writeln!(text, "settle: {}", dice.pick(&["30m", "1h", "1h", "6h", "1d"]));
        }
    }
}

fn alert_on_pivots(dice: &mut Dice, scope: &Scope, rules: &str) -> String {
    let when = if dice.chance(50) { "true".to_owned() } else { predicate(dice, scope, 1) };
    let mut text = format!("  turned:\n    on: pivot\n    when: \"{when}\"\n");
    // An alert that could never be raised is refused.
    let lines = [
        ("kinds: [silence, spend_dropped, refunds_rose]", !rules.contains("\n  kinds: [")),
        ("level: alert", rules.contains("\n  alert: ")),
        ("severity: \"pivot.silence ? 'high' : 'low'\"", true),
        ("due: 1d", true),
        ("routing: { team: partners, agent: account_manager }", true),
    ];
    for (line, fits) in lines {
        if dice.chance(30) && fits {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn feature(dice: &mut Dice, number: usize, scope: &mut Scope, text: &mut String) {
    // The first is about money or orders, so that refunds have something to reverse.
    let (name, function, filter, of, with) = *dice.pick(if number == 0 { &TEMPLATES[..7] } else { &TEMPLATES });
    let name = format!("{name}_{number}");
    let _ = write!(text, "  {name}: {{ {function}");
    if !filter.is_empty() && dice.chance(80) {
        let _ = write!(text, ", where: \"{filter}\"");
    }
    if dice.chance(85) {
        let _ = write!(text, ", over: {}", dice.pick(&WINDOWS));
    }
    text.push_str(" }\n");
    scope.features.push((name, of, with));
}

fn programme(
    dice: &mut Dice,
    number: usize,
    (of_account, with_budget): (bool, bool),
    scope: &mut Scope,
    text: &mut String,
) {
    let name = format!("p{number}");
    let _ = writeln!(text, "  {name}:\n    profile: {}", dice.pick(&["value", "grievance"]));
    if of_account {
        text.push_str("    applies_to: account\n");
    }
    let grant = match dice.below(8) {
        // More than there are places for.
        0..=4 if with_budget => format!("{} >= {}", scope.features[0].0, dice.pick(&["0", "1"])),
        0..=2 => format!("{} >= {}", scope.features[0].0, dice.pick(&["1", "2", "3", "50"])),
        3..=5 => threshold(dice, scope),
        _ => predicate(dice, scope, 2),
    };
    let _ = writeln!(text, "    grant: \"{grant}\"");
    match dice.below(6) {
        0 => text.push_str("    keep: \"true\"\n"),
        1 => {
            let _ = writeln!(text, "    keep: \"{grant} || subscribed\"");
        }
        2 => {
            let _ = writeln!(text, "    keep: \"{}\"", predicate(dice, scope, 1));
        }
        3 => {
            let _ = writeln!(text, "    keep: \"{grant} || {}\"", threshold(dice, scope));
        }
        _ => {}
    }
    if dice.chance(60) {
        text.push_str("    tiers:\n");
        for tier in ["gold", "silver", "bronze"].iter().take(1 + dice.below(3)) {
            let _ = writeln!(text, "      {tier}: \"{}\"", threshold(dice, scope));
        }
        scope.others.push(format!("tier.{name} == 'gold'"));
        scope.others.push(format!("has(tier.{name}) && tier.{name} in ['silver', 'bronze']"));
    }
    for (clause, spans) in [("tenure", ["1d", "20d", "90m", "36h"]), ("grace", ["1d", "14d", "45m", "10s"])] {
        if dice.chance(45) {
            let _ = writeln!(text, "    {clause}: {}", dice.pick(&spans));
        }
    }
    if dice.chance(60) {
        let routing = [
            "{ team: concierge }",
            "{ agent: account_manager }",
            "{ team: desk, agent: last_resolved }",
            "{ agent: last_resolved }",
            "{ team: care, agent: familiar }",
            "{ agent: familiar, skill: billing }",
            "{ team: concierge, agent: best }",
            "{ team: care, agent: account_manager, skill: sl }",
        ];
        let _ = writeln!(text, "    routing: {}", dice.pick(&routing));
    }
    if dice.chance(40) {
        text.push_str("    greeting: \"Welcome back, {name}\"\n    entitlements: [queue, gift]\n");
    }
    scope.bools.push(format!("held.{name}"));
}

/// Few places, so that customers have to wait for one.
fn places(dice: &mut Dice) -> String {
    match dice.below(10) {
        0 => "max: 0".to_owned(),
        1..=6 => format!("max: {}", 1 + dice.below(3)),
        7 | 8 => format!("share: {}", dice.pick(&["20%", "34%", "50%", "12.5%"])),
        _ => {
            let team = *dice.pick(&["", "team: concierge, ", "team: care, "]);
            format!("capacity: {{ {team}per_agent: {} }}", 1 + dice.below(2))
        }
    }
}

fn budget(dice: &mut Dice, of_account: bool, scope: &Scope, text: &mut String) {
    let places = places(dice);
    let _ = write!(text, "    budget: {{ {places}");
    let numbers: Vec<&str> = scope.features.iter().filter(|it| it.1 != Type::Text).map(|it| it.0.as_str()).collect();
    if dice.chance(20) {
        let _ = write!(text, ", rank: earliest({})", dice.pick(&["first_purchase", "last_purchase", "last_seen"]));
    } else {
        let name = *dice.pick(&numbers);
        let rank = match dice.below(8) {
            4 if scope.of_all && !of_account => format!("{name} - percentile({name}, 0.5)"),
            0 => format!("-{name}"),
            1 => format!("{name} * 2 - 100"),
            2 => format!("100 / {name}"),
            3 => format!("{name} - {name}"),
            _ => name.to_owned(),
        };
        let _ = write!(text, ", rank: \"{rank}\"");
        if dice.chance(60) {
            let _ = write!(text, ", margin: {}", dice.pick(&["1%", "10%", "12.50%", "50%", "150%"]));
        }
    }
    if !places.starts_with("share") && dice.chance(40) {
        let of_customers = ["region", "role", "support_level", "attributes.tier", "attributes.score"];
        let of_accounts = ["account.tier", "account.account_manager", "account.attributes.since"];
        let fields = if of_account { &of_accounts[..] } else { &of_customers[..] };
        let _ = write!(text, ", per: {}", dice.pick(fields));
    }
    text.push_str(" }\n");
}

fn alerts(dice: &mut Dice, scope: &mut Scope, text: &mut String) {
    text.push_str("alerts:\n");
    scope.bools.push("vip".to_owned());
    let common = scope.others.len();
    let mut names = Vec::new();
    for _ in 0..=dice.below(4) {
        let (name, on, fields) = dice.pick(&ALERTS);
        if names.contains(name) {
            continue;
        }
        names.push(name);
        scope.others.truncate(common);
        // The event's own fields are worth as much as everything else together.
        for _ in 0..3 {
            scope.others.extend(fields.iter().map(|&predicate| predicate.to_owned()));
        }
        if *name == "referral_won" {
            text.push_str("  referral_won:\n    kind: escalation\n");
        } else {
            let _ = writeln!(text, "  {name}:");
        }
        let _ = write!(text, "    on: {on}\n    when: \"{}\"\n", predicate(dice, scope, 1));
        if dice.chance(50) {
            let _ = writeln!(text, "    severity: \"{} ? 'high' : 'low'\"", predicate(dice, scope, 0));
        }
        if dice.chance(40) {
            let _ = writeln!(text, "    due: {}", dice.pick(&["15m", "1h", "1d"]));
        }
        if dice.chance(20) {
            text.push_str("    routing: { team: partners, agent: account_manager }\n    greeting: \"Dear {name}\"\n");
        }
        if *on == "presence" && dice.chance(60) {
            text.push_str("    once_per: visit\n");
        }
    }
}

/// A predicate with operators nested so deep.
fn predicate(dice: &mut Dice, scope: &Scope, depth: usize) -> String {
    if depth > 0 && dice.chance(60) {
        let a = predicate(dice, scope, depth - 1);
        let b = predicate(dice, scope, depth - 1);
        return match dice.below(8) {
            0..=2 => format!("({a} && {b})"),
            3..=5 => format!("({a} || {b})"),
            6 => format!("!({a})"),
            _ => format!("({a} ? {b} : {})", threshold(dice, scope)),
        };
    }
    match dice.below(10) {
        0..=4 => threshold(dice, scope),
        5 | 6 => days(dice),
        7 => {
            let fact = dice.pick(&scope.bools);
            if dice.chance(30) { format!("!{fact}") } else { fact.clone() }
        }
        _ if scope.others.is_empty() => days(dice),
        _ => dice.pick(&scope.others).clone(),
    }
}

/// A feature against a constant, or something that reads features otherwise.
fn threshold(dice: &mut Dice, scope: &Scope) -> String {
    let (name, of, with) = dice.pick(&scope.features);
    let limit = *dice.pick(with);
    let op = *dice.pick(&[">=", ">=", ">=", ">", "<", "<=", "==", "!="]);
    let fact = if dice.chance(15) { format!("f.{name}") } else { name.clone() };
    if *of == Type::Text {
        return match dice.below(4) {
            0 => format!("{fact} in ['{limit}', 'web']"),
            1 => format!("(has(f.{name}) && {fact}.startsWith('{}'))", &limit[..1]),
            2 => format!("size({fact}) {op} 4"),
            _ => format!("{fact} == '{limit}'"),
        };
    }
    let (other, other_type, _) = dice.pick(&scope.features);
    if scope.of_all && dice.chance(40) {
        return above(dice, &fact, name, op);
    }
    match dice.below(14) {
        0 => format!("{limit} <= {fact}"),
        1 => format!("has(f.{name})"),
        2 if *of == Type::Int => format!("{fact} % 2 == 1"),
        2 => format!("-{fact} / 3 {op} -{limit}"),
        3 if *other_type != Type::Text => format!("{fact} {op} {other}"),
        4 if *other_type != Type::Text => format!("{fact} * 2 - {other} {op} {limit}"),
        5 if *other_type != Type::Text => format!("{fact} / {other} {op} {limit}"),
        6 => format!("{fact} in [{limit}, 1]"),
        _ => format!("{fact} {op} {limit}"),
    }
}

/// Against what a part of all customers do not exceed.
fn above(dice: &mut Dice, fact: &str, name: &str, op: &str) -> String {
    let mut percentile = || {
        let part = dice.pick(&["0.5", "0.8", "0.25", "0.90", "0.99", "0.05"]);
        format!("percentile({name}, {part})")
    };
    let (cut, other) = (percentile(), percentile());
    match dice.below(10) {
        0 => format!("{cut} {op} {fact}"),
        1 => format!("{fact} - {cut} {op} 10.0"),
        2 => format!("{cut} {op} 100"),
        3 => format!("({fact} >= {cut} && {fact} <= {other})"),
        4 => format!("(has(f.{name}) && {fact} {op} {cut})"),
        _ => format!("{fact} {op} {cut}"),
    }
}

fn days(dice: &mut Dice) -> String {
    let fact = dice.pick(&["first_purchase", "last_purchase", "last_seen"]);
    let op = dice.pick(&[">", ">=", "<", "<=", "==", "!="]);
    let count = dice.pick(&[0, 1, 2, 7, 30]);
    if dice.chance(15) {
        format!("{count} {op} days_since({fact})")
    } else {
        format!("days_since({fact}) {op} {count}")
    }
}

const BUDGETS: [&[&str]; 7] = [
    &["alert: 20 per customer-year"],
    &["watch: 40 per customer-year", "alert: 5 per customer-year"],
    &["watch: 52 per customer-year", "alert: 50 per 100 customer-years"],
    &["watch: 52 per customer-year"],
    &["alert: 1 per 100 customer-years", "watch: 30 per customer-year"],
    &["alert: 52 per customer-year"],
    &["alert: 0.5 per 100 customer-years"],
];

/// Kinds of pivots that end, and those that do not.
const ENDING: [&str; 11] = [
    "silence",
    "silence",
    "cadence_slowed",
    "cadence_quickened",
    "spend_dropped",
    "spend_rose",
    "satisfaction_dropped",
    "satisfaction_rose",
    "sentiment_turned",
    "engagement_dropped",
    "engagement_rose",
];
const FOUND: [&str; 6] =
    ["silence", "cadence_slowed", "spend_dropped", "sentiment_rose", "refunds_rose", "channel_shifted"];

const AMOUNTS: &[&str] = &["0", "10", "100", "250.50", "500", "1000"];
const COUNTS: &[&str] = &["0", "1", "2", "3", "5"];
const WORDS: &[&str] = &["trip", "music", "books"];

const TEMPLATES: [Template; 38] = [
    ("spend", "sum: purchase.amount", "category == 'trip' || amount >= 10", Type::Decimal, AMOUNTS),
    ("spend", "sum: purchase.amount", "", Type::Decimal, AMOUNTS),
    ("spend", "sum: purchase.amount", "", Type::Decimal, AMOUNTS),
    ("orders", "count: purchase", "", Type::Int, COUNTS),
    ("orders", "count: purchase", "channel != 'web'", Type::Int, COUNTS),
    ("big", "count: purchase", "amount >= 100", Type::Int, COUNTS),
    ("points", "sum: \"purchase.amount / 7\"", "", Type::Decimal, AMOUNTS),
    ("bonus", "sum: \"purchase.amount * 2 + 1\"", "items > 1", Type::Decimal, AMOUNTS),
    ("items", "sum: purchase.items", "", Type::Decimal, COUNTS),
    ("mean_order", "avg: purchase.amount", "", Type::Decimal, AMOUNTS),
    ("kinds", "distinct: purchase.category", "", Type::Int, COUNTS),
    ("last_kind", "last: purchase.category", "", Type::Text, WORDS),
    ("first_kind", "first: purchase.category", "amount > 0", Type::Text, WORDS),
    ("last_amount", "last: purchase.amount", "", Type::Decimal, AMOUNTS),
    ("first_items", "first: purchase.items", "", Type::Int, COUNTS),
    ("bad", "count: csat", "satisfaction <= 0.4", Type::Int, COUNTS),
    ("mood", "avg: csat.satisfaction", "", Type::Decimal, &["0.4", "0.5", "0.75"]),
    ("score", "last: csat.score", "instrument == 'csat'", Type::Decimal, COUNTS),
    ("angry", "count: mention", "public && sentiment <= -0.4", Type::Int, COUNTS),
    ("feeling", "avg: mention.sentiment", "activity != 'repost'", Type::Decimal, &["-0.4", "0.0", "0.25"]),
    ("reach", "sum: mention.followers", "public", Type::Decimal, &["100", "1000", "2500.0"]),
    ("won", "count: referral", "status == 'converted'", Type::Int, COUNTS),
    ("value", "sum: referral.value", "status in ['converted', 'signed_up']", Type::Decimal, AMOUNTS),
    ("value", "sum: \"referral.value * 2\"", "value >= 10 || program == 'x'", Type::Decimal, AMOUNTS),
    ("net", "sum: referred_purchase.amount", "", Type::Decimal, AMOUNTS),
    ("net", "sum: referred_purchase.amount", "category == 'trip' || amount >= 100", Type::Decimal, AMOUNTS),
    ("brought", "count: referred_purchase", "", Type::Int, COUNTS),
    ("brought", "count: referred_purchase", "amount >= 50 && currency != 'GBP'", Type::Int, COUNTS),
    ("buyers", "distinct: referred_purchase.customer_id", "", Type::Int, COUNTS),
    ("their_last", "last: referred_purchase.category", "channel != 'web'", Type::Text, WORDS),
    ("their_mean", "avg: referred_purchase.amount", "", Type::Decimal, AMOUNTS),
    ("seen", "count: presence", "state != 'offline'", Type::Int, COUNTS),
    ("sessions", "distinct: presence.session_id", "", Type::Int, COUNTS),
    ("cases", "count: case", "state != 'closed' && (reopens > 0 || true)", Type::Int, COUNTS),
    ("hard", "count: case", "hours_open >= 24 || first_response_minutes > 60", Type::Int, COUNTS),
    ("open", "avg: case.hours_open", "", Type::Decimal, &["0", "5", "24.5"]),
    ("clicks", "count: engagement", "action == 'click' && !machine", Type::Int, COUNTS),
    ("campaign", "last: engagement.campaign_id", "", Type::Text, &["spring", "autumn"]),
];

const WINDOWS: [&str; 12] = ["1d", "2d", "7d", "30d", "90d", "24h", "1h", "30m", "90m", "year", "quarter", "month"];

const PROFILE: [&str; 9] = [
    "attributes.tier == 'A'",
    "has(attributes.score) && attributes.score >= 1",
    "attributes.score in [1.5, 2]",
    "(has(attributes.tier) && attributes.tier.startsWith('A'))",
    "attributes.seats * 2 > 60",
    "region == 'west'",
    "role in ['partner', 'reference']",
    "has(f.support_level) && support_level != 'basic'",
    "has(f.last_seen)",
];

const ACCOUNT: [&str; 8] = [
    "account.tier == 'A'",
    "account.icp_fit >= 0.6",
    "account.contract_value > 100",
    "has(account.name)",
    "days_since(account.renewal_on) > -30",
    "10 >= days_since(account.renewal_on)",
    "account.attributes.seats >= 40",
    "account.attributes.since == '2019'",
];

const ALERTS: [(&str, &str, &[&str]); 8] = [
    (
        "public_complaint",
        "mention",
        &["public && sentiment <= -0.4", "event.text.contains('worst')", "has(event.followers)"],
    ),
    ("vip_online", "presence", &["vip", "ttl_s > 60", "event.channel == 'web'"]),
    ("unhappy_customer_online", "presence", &["vip", "event.state == 'online'", "session_id in ['s1', 's2']"]),
    ("escalation", "purchase", &["event.status == 'disputed'", "amount > 100", "event.currency != 'EUR'"]),
    ("sla_breach", "case", &["sla_breached", "event.state == 'escalated'", "version >= 3"]),
    ("partner_online", "engagement", &["action == 'login'", "!machine"]),
    ("target_account_online", "csat", &["satisfaction < 0.5", "score >= 4"]),
    ("referral_won", "referral", &["event.status == 'converted'", "value >= 100"]),
];
