//! The ruleset's YAML to a [`Ruleset`]: every problem at once, each with its line and path.

mod alerts;
mod budgets;
mod exceptions;
mod features;
mod pivots;
mod population;
mod programmes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::budget::Budget;
use super::calendar::Calendar;
use super::compile;
use super::fact::{AccountField, Fact, Scope, index};
use super::fields::{self, Field};
use super::percentile::Percentile;
use super::program::Program;
use super::ruleset::{
    ALWAYS, Aggregate, AlertRule, Choice, Feature, KindPlan, Label, MAX_LABELS, On, Plan, Programme, Ruleset,
};
use super::source;
use super::value::Type;
use crate::codec::currency;
use crate::model::event::Kind;
use crate::model::id::EntityKind;
use crate::model::output::Scalar;
use crate::yaml::{self, Node, Problem, Problems, Section};

impl Ruleset {
    /// Reads, checks and compiles a ruleset. `file` only names it in problems.
    ///
    /// # Errors
    /// Every problem at once, by line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new(file);
        let (rules, priors) = source::parts(text);
        let ruleset = yaml::read(rules, &mut problems).and_then(|root| read(&root, text, &mut problems));
        if problems.is_empty() && priors.is_some() && source::priors_of(rules).is_none() {
            let help = "write them to a file of their own, and name it: `pivots: { priors: priors.json }`";
            problems.add_with_help(rules.lines().count() + 1, "pivots.priors", "missing, yet priors follow here", help);
        }
        match ruleset {
            Some(ruleset) if problems.is_empty() => Ok(ruleset),
            _ => Err(problems.into_sorted()),
        }
    }
}

fn read(root: &Node, text: &str, problems: &mut Problems) -> Option<Ruleset> {
    let mut top = Section::open(root, "", problems)?;
    let name = name_of(&mut top, problems);
    let currency = currency_of(&mut top, problems);
    let calendar = calendar_of(&mut top, problems);
    let lateness = top.span("lateness", problems).unwrap_or(LATENESS);
    let visit_gap = top.span("visit_gap", problems).unwrap_or(VISIT_GAP);
    let hop = hop(&mut top, problems);
    let settle = budgets::settle(&mut top, hop, problems);
    let refund_skips_grace = skip_grace(&mut top, problems);
    let features = features::read(&mut top, problems);
    let attributes = RefCell::default();
    let percentiles = RefCell::default();
    let pivots = pivots::read(&mut top, source::parts(text).1, problems);
    // Of one in which there is a mistake, every kind: it was named already.
    let told = pivots.as_ref().map(|(rule, _)| rule.as_ref().map_or(pivots::EVERY, |rule| rule.kinds));
    let known = Known { features: &features, attributes: &attributes, percentiles: &percentiles, pivots: told };
    let labels = labels(&mut top, known, problems);
    let programmes = programmes::read(&mut top, known, &labels, problems);
    let budget = budgets::over_all(&mut top, &programmes, problems);
    let rule = pivots.as_ref().and_then(|(rule, _)| rule.as_ref());
    let alerts = alerts::read(&mut top, known, rule, &labels, &programmes, problems);
    let max_overrides = budgets::overrides(&mut top, problems);
    let exceptions = exceptions::read(&mut top, known, &labels, &programmes, problems);
    let pivots = pivots.and_then(|(rule, of)| Some(pivots::of(rule?, of, known, (&labels, &programmes), problems)));
    let weights = weights(&mut top, &programmes, problems);
    top.close(problems);
    let cohort = exceptions.as_ref().and_then(|rule| rule.cohort.as_ref());
    let watched = pivots.as_ref().and_then(|rule| rule.of.as_ref());
    let mut plan = plan(&features, &labels, &programmes, &alerts, [cohort, watched]);
    for (at, alert) in alerts.iter().enumerate() {
        if let On::Event(kind) = alert.on {
            plan.of_mut(kind).alerts.push(index(at));
        }
    }
    let percentiles = percentiles.into_inner();
    // Cases are remembered as long as they count.
    let cases = plan.of_mut(Kind::Case);
    let window = exceptions.as_ref().map(|rule| rule.window);
    cases.windows.extend(window.filter(|window| !cases.windows.contains(window)));
    let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()));
    Some(Ruleset {
        name,
        text: text.to_owned(),
        hash,
        currency,
        calendar,
        lateness,
        visit_gap,
        hop,
        settle,
        budget,
        max_overrides,
        refund_skips_grace,
        features,
        labels,
        programmes,
        alerts,
        exceptions,
        pivots,
        weights,
        attributes: attributes.into_inner(),
        measured: measured(&percentiles),
        percentiles,
        plan,
    })
}

const LATENESS: Duration = Duration::from_mins(1);
const VISIT_GAP: Duration = Duration::from_mins(30);
const HOP: Duration = Duration::from_secs(1);

/// How long what an entity does to another takes: tasks that wait for each other wait in steps of it.
fn hop(top: &mut Section<'_>, problems: &mut Problems) -> Duration {
    let line = top.line_of("hop");
    let hop = top.span("hop", problems).unwrap_or(HOP);
    if hop.is_zero() {
        problems.add_with_help(line, "hop", "must be longer than nothing", "1s is the default");
    }
    hop
}

/// The ruleset's name, which enters ids and headers.
fn name_of(top: &mut Section<'_>, problems: &mut Problems) -> String {
    let line = top.line_of("ruleset");
    let name = top.required("ruleset", problems).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(allowed) || name.len() > MAX_RULESET_NAME {
        let help = format!("letters, digits, `.`, `_` and `-`, at most {MAX_RULESET_NAME}");
        problems.add_with_help(line, "ruleset", format!("`{name}` cannot be a ruleset's name"), help);
    }
    name.to_owned()
}

const MAX_RULESET_NAME: usize = 200;

fn currency_of(top: &mut Section<'_>, problems: &mut Problems) -> CompactString {
    let line = top.line;
    let Some(node) = top.take("currency") else {
        problems.add_with_help(
            line,
            "currency",
            "is missing",
            "write the ISO 4217 code that sums are kept in: `currency: EUR`",
        );
        return CompactString::default();
    };
    let code = yaml::text(node, "currency", problems).unwrap_or_default();
    if !currency::is_known(code) {
        problems.add_with_help(
            node.line,
            "currency",
            format!("`{code}` is no ISO 4217 currency"),
            "such as EUR or USD",
        );
    }
    code.into()
}

fn calendar_of(top: &mut Section<'_>, problems: &mut Problems) -> Calendar {
    let zone = top.take("timezone").map(|node| (node.line, yaml::text(node, "timezone", problems).unwrap_or("UTC")));
    let (line, name) = zone.unwrap_or((0, "UTC"));
    Calendar::new(name).unwrap_or_else(|| {
        problems.add_with_help(
            line,
            "timezone",
            format!("unknown timezone `{name}`"),
            "an IANA name such as Europe/Ljubljana",
        );
        Calendar::new("UTC").expect("UTC is always known")
    })
}

/// Whether refunds skip grace. The other causes act with later versions; their words are known already.
fn skip_grace(top: &mut Section<'_>, problems: &mut Problems) -> bool {
    let Some(node) = top.take("skip_grace") else { return false };
    let words = words(node, "skip_grace", problems);
    for (line, word) in &words {
        if !["refund", "override", "rule_change"].contains(word) {
            problems.add_with_help(
                *line,
                "skip_grace",
                format!("unknown cause `{word}`"),
                "known: refund, override, rule_change",
            );
        }
    }
    words.iter().any(|(_, word)| *word == "refund")
}

/// A list of texts with their lines.
fn words<'a>(node: &'a Node, path: &str, problems: &mut Problems) -> Vec<(usize, &'a str)> {
    let yaml::Value::List(items) = &node.value else {
        problems.add_with_help(node.line, path, "a list is expected", "write it in brackets: [one, two]");
        return Vec::new();
    };
    items.iter().filter_map(|item| Some((item.line, yaml::text(item, path, problems)?))).collect()
}

fn labels(top: &mut Section<'_>, known: Known<'_>, problems: &mut Problems) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for (name, node) in named(top, "labels", MAX_LABELS, problems) {
        let path = format!("labels.{name}");
        let mut scope = known.scope();
        scope.labels = labels.iter().map(|label| label.name.as_str()).collect();
        let when = expression(node, &path, &scope, &[Type::Bool], problems).unwrap_or_else(never);
        labels.push(Label { name: name.into(), when });
    }
    labels
}

fn weights(
    top: &mut Section<'_>,
    programmes: &[Programme],
    problems: &mut Problems,
) -> BTreeMap<CompactString, Scalar> {
    let mut weights = BTreeMap::new();
    let tiers: Vec<&str> = programmes
        .iter()
        .flat_map(|programme| programme.tiers.iter().map(|(name, _)| name.as_str()))
        .chain(["none"])
        .collect();
    for (name, node) in named(top, "weights", usize::MAX, problems) {
        let path = format!("weights.{name}");
        if !tiers.contains(&name) {
            let near = yaml::suggest(name, tiers.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            let help = format!("{}known: {}", near.unwrap_or_default(), tiers.join(", "));
            problems.add_with_help(node.line, &path, format!("no programme has a tier `{name}`"), help);
        }
        let text = yaml::text(node, &path, problems).unwrap_or("1");
        let weight = text.parse().map(Scalar::Int).or_else(|_| text.parse::<Decimal>().map(Scalar::Decimal));
        match weight {
            Ok(weight) if weight_of(&weight) >= Decimal::ZERO => drop(weights.insert(name.into(), weight)),
            _ => problems.add(node.line, &path, format!("`{text}` is no number of zero or more")),
        }
    }
    weights
}

/// A weight as a decimal, for comparison.
pub(crate) fn weight_of(weight: &Scalar) -> Decimal {
    match weight {
        Scalar::Int(value) => Decimal::from(*value),
        Scalar::Decimal(value) => *value,
        _ => Decimal::ONE,
    }
}

/// The entries of a section whose names the user chooses.
fn named<'a>(
    top: &mut Section<'a>,
    key: &'static str,
    most: usize,
    problems: &mut Problems,
) -> Vec<(&'a str, &'a Node)> {
    let Some(node) = top.take(key) else { return Vec::new() };
    let Some(mut section) = Section::open(node, key, problems) else { return Vec::new() };
    let entries = section.take_rest();
    if entries.len() > most {
        problems.add(node.line, key, format!("{} entries, at most {most} are allowed", entries.len()));
    }
    for (name, _) in &entries {
        let mut chars = name.name.chars();
        let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') || name.name.len() > MAX_NAME {
            let help = format!("letters, digits and `_`, not starting with a digit, at most {MAX_NAME}");
            problems.add_with_help(
                name.line,
                &section.at(&name.name),
                format!("`{}` cannot be a name", name.name),
                help,
            );
        }
    }
    entries.into_iter().take(most).map(|(name, node)| (name.name.as_str(), node)).collect()
}

const MAX_NAME: usize = 64;

/// What every rule may name.
#[derive(Clone, Copy)]
struct Known<'a> {
    features: &'a [Feature],
    /// Attributes that rules read, in the order in which they are met.
    attributes: &'a RefCell<Vec<CompactString>>,
    percentiles: &'a RefCell<Vec<Percentile>>,
    /// Kinds of pivots that are told; `None` where nobody looks for any.
    pivots: Option<u16>,
}

impl<'a> Known<'a> {
    fn scope(self) -> Scope<'a> {
        Scope {
            features: self.features.iter().map(|feature| (feature.name.as_str(), feature.type_)).collect(),
            attributes: Some(self.attributes),
            percentiles: Some(self.percentiles),
            pivots: self.pivots,
            ..Scope::default()
        }
    }
}

/// Compiles the expression at a node; its problems are noted.
fn expression(
    node: &Node,
    path: &str,
    scope: &Scope<'_>,
    expected: &[Type],
    problems: &mut Problems,
) -> Option<Program> {
    let text = yaml::text(node, path, problems)?;
    match compile::compile(text, scope, expected) {
        Ok(program) => Some(program),
        Err(errors) => {
            for (what, help) in errors {
                match help {
                    Some(help) => problems.add_with_help(node.line, path, what, help),
                    None => problems.add(node.line, path, what),
                }
            }
            None
        }
    }
}

/// Stands in for an expression with problems, so that the checks can go on.
fn never() -> Program {
    compile::compile("false", &Scope::default(), &[Type::Bool]).expect("`false` compiles")
}

/// Works out what each kind's events must leave behind, and what labels and programmes wait for.
fn plan(
    features: &[Feature],
    labels: &[Label],
    programmes: &[Programme],
    alerts: &[AlertRule],
    aside: [Option<&Program>; 2],
) -> Plan {
    let mut plan = Plan::default();
    plan.resolvers = choices(programmes, alerts).any(|choice| choice != Choice::AccountManager);
    let mut sums = 0..;
    plan.sums = features
        .iter()
        .map(|feature| matches!(feature.aggregate, Aggregate::Sum | Aggregate::Avg).then(|| sums.next()).flatten())
        .collect();
    for (at, feature) in features.iter().enumerate() {
        let kind = plan.of_mut(feature.kind);
        kind.features.push(index(at));
        match feature.window {
            super::calendar::Window::Lifetime => kind.lifetime = true,
            window if !kind.windows.contains(&window) => kind.windows.push(window),
            _ => {}
        }
        for fact in feature.value.iter().flat_map(Program::facts) {
            if let Fact::Event(field) = fact
                && !field.is_amount()
                && !kind.stored.contains(&field)
            {
                kind.stored.push(field);
            }
        }
    }
    for feature in features {
        judged(feature, plan.of_mut(feature.kind));
    }
    follow(&mut plan);
    plan.inputs = [
        labels.iter().map(|label| inputs(&label.when, features)).collect(),
        programmes.iter().map(|rule| programme_inputs(rule, features)).collect(),
    ];
    for label in labels {
        watch(&mut plan, false, &label.when);
    }
    for programme in programmes {
        programme.programs().for_each(|program| watch(&mut plan, programme.of_account, program));
    }
    // What all have of a feature is kept up to date, whoever reads it.
    for alert in alerts.iter().flat_map(|alert| [&alert.when].into_iter().chain(&alert.severity)) {
        let measured =
            alert.facts().filter_map(|fact| if let Fact::Percentile(_, of) = fact { Some(of) } else { None });
        measured.for_each(|feature| plan.watch_mut(false).features |= 1 << feature);
    }
    accounts(&mut plan, (features, programmes, alerts), aside);
    plan
}

/// Places of the features that percentiles are of, each once.
fn measured(percentiles: &[Percentile]) -> Vec<u8> {
    let mut features: Vec<u8> = percentiles.iter().map(|percentile| percentile.feature).collect();
    features.sort_unstable();
    features.dedup();
    features
}

/// How agents are chosen.
fn choices<'a>(programmes: &'a [Programme], alerts: &'a [AlertRule]) -> impl Iterator<Item = Choice> {
    let routings = programmes.iter().map(|it| &it.routing).chain(alerts.iter().map(|it| &it.routing));
    routings.flatten().filter_map(|routing| routing.agent)
}

/// Notes what an expression waits for, at customers or at accounts.
fn watch(plan: &mut Plan, of_account: bool, program: &Program) {
    let told = &mut plan.told_of_accounts;
    let watch = if of_account { &mut plan.accounts } else { &mut plan.customers };
    for fact in program.facts() {
        match fact {
            Fact::Feature(index) | Fact::Percentile(_, index) => watch.features |= 1 << index,
            Fact::Subscribed => watch.subscribed = true,
            Fact::LastSeen => watch.reads.last_seen = true,
            Fact::FirstPurchase | Fact::LastPurchase => watch.reads.purchases = true,
            Fact::Profile(_) | Fact::Attribute(_) => watch.reads.profile = true,
            Fact::Account(_) | Fact::AccountAttribute(_) => {
                watch.reads.account = true;
                if !of_account {
                    told.note(fact);
                }
            }
            _ => {}
        }
    }
    for days in program.days() {
        if !watch.days.contains(&days) {
            watch.days.push(days);
        }
    }
}

/// Works out what ties customers to accounts: what reaches an account, and whether anybody asks.
fn accounts(
    plan: &mut Plan,
    (features, programmes, alerts): (&[Feature], &[Programme], &[AlertRule]),
    aside: [Option<&Program>; 2],
) {
    plan.judges_accounts = programmes.iter().any(|programme| programme.of_account);
    let in_alerts = alerts.iter().flat_map(|alert| [&alert.when].into_iter().chain(&alert.severity));
    in_alerts
        .chain(aside.into_iter().flatten())
        .flat_map(Program::facts)
        .for_each(|fact| plan.told_of_accounts.note(fact));
    if choices(programmes, alerts).any(|choice| choice == Choice::AccountManager) {
        plan.told_of_accounts.note(Fact::Account(AccountField::AccountManager));
    }
    plan.uses_accounts =
        plan.judges_accounts || plan.watch_mut(true).reads.account || !plan.told_of_accounts.is_empty();
    let watch = plan.watch(EntityKind::Account);
    let kinds = Kind::ALL.into_iter().filter(|kind| {
        let counted = features.iter().zip(0..).any(|(feature, at)| feature.kind == *kind && watch.has(at));
        let seen = watch.reads.last_seen && kind.is_activity() && *kind != Kind::Case;
        counted || seen || *kind == Kind::Purchase && (watch.reads.purchases || watch.subscribed)
    });
    plan.rolled_up = kinds.fold(0, |all, kind| all | kind.bit());
}

/// What is read of the purchases of referred customers is kept with everybody's orders, since anybody may turn out to
/// be referred; and with the referrer all of it, filters' fields too.
fn follow(plan: &mut Plan) {
    let referred = plan.of_mut(Kind::ReferredPurchase);
    let judged = std::mem::take(&mut referred.judged);
    referred.stored.extend(judged);
    let names: Vec<&str> = referred.stored.iter().map(|field| field.name()).collect();
    let purchase = plan.of_mut(Kind::Purchase);
    for name in names.into_iter().filter(|name| !matches!(*name, "customer_id" | "occurred_at" | "currency")) {
        let (field, _) = fields::find(Kind::Purchase, name).expect("it is a purchase's");
        if !purchase.stored.contains(&field) {
            purchase.stored.push(field);
        }
    }
    let stored = purchase.stored.clone();
    purchase.judged.retain(|field| !stored.contains(field));
}

/// Notes what a feature's filter reads beside an amount.
fn judged(feature: &Feature, kind: &mut KindPlan) {
    let fields = || feature.filter.iter().flat_map(|filter| filter.program.facts());
    let fields = || fields().filter_map(|fact| if let Fact::Event(field) = fact { Some(field) } else { None });
    if feature.kind != Kind::ReferredPurchase && !fields().any(Field::is_money) {
        return;
    }
    for field in fields().filter(|field| !field.is_money()) {
        if !kind.stored.contains(&field) && !kind.judged.contains(&field) {
            kind.judged.push(field);
        }
    }
}

/// The kinds of event that may change whether a programme is granted, or to whom.
fn programme_inputs(rule: &Programme, features: &[Feature]) -> u16 {
    let ranked = rule.budget.iter().flat_map(Budget::programs);
    let programs = [&rule.grant, &rule.keep].into_iter().chain(ranked);
    programs.fold(0, |all, program| all | inputs(program, features))
}

/// The kinds of event that may change an expression's answer. One that may be in error is judged at every look, since
/// its errors are counted.
fn inputs(program: &Program, features: &[Feature]) -> u16 {
    if !program.is_plain() {
        return ALWAYS;
    }
    let bits = program.facts().map(|fact| match fact {
        Fact::Feature(index) => {
            let feature = &features[usize::from(index)];
            let is_total = matches!(feature.aggregate, Aggregate::Count | Aggregate::Sum | Aggregate::Distinct);
            if is_total { feature.kind.bit() } else { ALWAYS }
        }
        _ => ALWAYS,
    });
    bits.fold(0, |all, bit| all | bit)
}
