//! The ruleset, read into plain structs. It trusts the text: what `check` refuses is not the model's matter.

use std::time::Duration;

use compact_str::CompactString;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Yaml};

use vipstream::model::event::{Account, Kind};
use vipstream::pivot::Pivot;
use vipstream::pivot::budget::Grade;

use super::calendar::{Calendar, Window};
use super::exceptions;
use super::expr::{self, Node, Scope};
use super::money::Rates;
use super::percentile::{Cuts, Percentile};
use super::pivots;
use super::population::Shifts;
use super::value::Value;

/// A whole rule file.
pub(super) struct Ruleset {
    pub(super) name: String,
    pub(super) currency: String,
    pub(super) calendar: Calendar,
    pub(super) visit_gap: Duration,
    /// From doing something to another until it is in force.
    pub(super) hop: Duration,
    /// How long deadlines wait behind the clock in `live`.
    pub(super) lateness: Duration,
    pub(super) skip_grace_on_refund: bool,
    pub(super) features: Vec<Feature>,
    pub(super) labels: Vec<Label>,
    pub(super) programmes: Vec<Programme>,
    /// From one decision about everybody to the next.
    pub(super) settle: Duration,
    /// How many persons may hold any programme.
    pub(super) budget: Option<Places>,
    pub(super) alerts: Vec<Alert>,
    pub(super) exceptions: Option<exceptions::Rule>,
    pub(super) pivots: Option<pivots::Rule>,
    pub(super) weights: Vec<(String, Value)>,
    /// The part of the members that may be so by a person's word alone.
    pub(super) max_overrides: Option<Decimal>,
    /// The rates read so far.
    pub(super) rates: Rates,
    /// All that are read, in any expression.
    pub(super) percentiles: Vec<Percentile>,
    /// Those told so far.
    pub(super) cuts: Cuts,
    /// Of which pivots there were far more than usual.
    pub(super) shifts: Shifts,
}

/// A rolling fact.
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) function: Function,
    pub(super) kind: Kind,
    /// What is taken of each event; `count` takes nothing.
    pub(super) expr: Option<Node>,
    pub(super) filter: Option<Node>,
    pub(super) window: Window,
    /// The window as written; `None` for a lifetime.
    pub(super) over: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    Avg,
    Distinct,
    Last,
    First,
}

pub(super) struct Label {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) when: Node,
}

/// One reason to be a VIP.
pub(super) struct Programme {
    pub(super) name: String,
    /// Accounts hold it, and their contacts with them.
    pub(super) of_account: bool,
    pub(super) profile: String,
    pub(super) grant: Node,
    pub(super) keep: Node,
    /// Highest first.
    pub(super) tiers: Vec<(String, Node)>,
    pub(super) tenure: Duration,
    pub(super) grace: Duration,
    pub(super) entitlements: Vec<String>,
    pub(super) greeting: Option<String>,
    pub(super) routing: Option<Routing>,
    pub(super) budget: Option<Budget>,
}

/// How many may hold a programme, and who comes first.
pub(super) struct Budget {
    pub(super) places: Places,
    pub(super) rank: Node,
    /// As written.
    pub(super) rank_text: String,
    pub(super) is_earliest: bool,
    /// A part of what is to be outranked.
    pub(super) margin: Decimal,
    pub(super) per: Option<Node>,
}

impl Budget {
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        [&self.rank].into_iter().chain(&self.per)
    }
}

/// How many places there are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Places {
    Max(u64),
    /// Percent of the active customers.
    Share(Decimal),
    /// So many for each agent on shift.
    Capacity {
        team: Option<String>,
        per_agent: u64,
    },
}

/// Where a programme's members go, as written.
pub(super) struct Routing {
    pub(super) team: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) skill: Option<String>,
}

pub(super) struct Alert {
    pub(super) name: String,
    pub(super) kind: String,
    /// The kind of event; none where it is on pivots, which the next field tells.
    pub(super) on: Option<Kind>,
    pub(super) pivots: PivotsOf,
    pub(super) when: Node,
    pub(super) severity: Option<Node>,
    pub(super) due: Option<Duration>,
    pub(super) once_per_visit: bool,
    pub(super) routing: Option<Routing>,
    pub(super) greeting: Option<String>,
}

/// Pivots on which an alert is raised.
pub(super) struct PivotsOf {
    /// All where none is named.
    kinds: Vec<String>,
    alerts_only: bool,
}

impl PivotsOf {
    pub(super) fn has(&self, pivot: &Pivot) -> bool {
        let is_named = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == pivot.kind.name());
        pivot.of.is_none() && is_named && (!self.alerts_only || pivot.level == Grade::Alert)
    }
}

impl Ruleset {
    /// Reads a rule file.
    pub(super) fn read(text: &str) -> Self {
        let yaml: Yaml = serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("the ruleset is no YAML: {e}\n{text}"));
        let top = yaml.as_object().expect("a ruleset is a map");
        let features: Vec<Feature> = entries(top, "features").map(|(name, body)| feature(name, body)).collect();
        let is_fact = |name: &str| FACTS.contains(&name) || features.iter().any(|feature| feature.name == name);
        let parse = |text: &str| expr::parse(text, &Scope::Rule(&is_fact)).unwrap_or_else(|e| panic!("{e}"));
        let labels = entries(top, "labels")
            .map(|(name, body)| Label { name: name.clone(), text: scalar(body), when: parse(&scalar(body)) })
            .collect();
        let programmes = entries(top, "programmes").map(|(name, body)| programme(name, body, &parse)).collect();
        let alerts = entries(top, "alerts").map(|(name, body)| alert(name, body, &parse)).collect();
        let zone = text_of(top, "timezone").unwrap_or_else(|| "UTC".to_owned());
        let hop = duration_of(top, "hop").unwrap_or(Duration::from_secs(1));
        let mut rules = Self {
            name: text_of(top, "ruleset").expect("a ruleset has a name"),
            currency: text_of(top, "currency").expect("a ruleset has a currency"),
            calendar: Calendar::new(TimeZone::get(&zone).expect("a timezone of the tz database")),
            visit_gap: duration_of(top, "visit_gap").unwrap_or(Duration::from_mins(30)),
            hop,
            lateness: duration_of(top, "lateness").unwrap_or(Duration::from_mins(1)),
            skip_grace_on_refund: words(top, "skip_grace").iter().any(|word| word == "refund"),
            exceptions: top
                .get("exceptions")
                .map(|body| exceptions::Rule::read(body.as_object().expect("a map"), &parse, window)),
            pivots: top.get("pivots").map(|body| pivots::Rule::read(body.as_object().expect("a map"), &parse)),
            labels,
            programmes,
            settle: duration_of(top, "settle").unwrap_or(Duration::from_secs(10).max(hop * 2)),
            budget: top.get("budget").and_then(Yaml::as_object).map(places),
            alerts,
            weights: entries(top, "weights").map(|(tier, weight)| (tier.clone(), weight_of(weight))).collect(),
            features,
            max_overrides: top
                .get("overrides")
                .and_then(Yaml::as_object)
                .and_then(|body| text_of(body, "max_share"))
                .map(|share| percent(&share) / Decimal::ONE_HUNDRED),
            rates: Rates::default(),
            percentiles: Vec::new(),
            cuts: Cuts::default(),
            shifts: Shifts::default(),
        };
        rules.percentiles = rules.find_percentiles();
        rules
    }

    /// Whether purchases of referred customers count for anybody.
    pub(super) fn follows_referrals(&self) -> bool {
        self.features.iter().any(|feature| feature.kind == Kind::ReferredPurchase)
    }

    /// The feature of that name.
    pub(super) fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// Every expression about customers, or about accounts, whose facts time alone may change: all but the alerts'.
    pub(super) fn watched(&self, of_account: bool) -> impl Iterator<Item = &Node> {
        let programmes = self.programmes.iter().filter(move |programme| programme.of_account == of_account);
        let of_programmes = programmes.flat_map(|programme| {
            let own = [&programme.grant, &programme.keep].into_iter().chain(programme.tiers.iter().map(|t| &t.1));
            own.chain(programme.budget.iter().flat_map(Budget::nodes))
        });
        let labels = self.labels.iter().filter(move |_| !of_account);
        labels.map(|label| &label.when).chain(of_programmes)
    }

    /// Whether anything is asked of accounts.
    pub(super) fn uses_accounts(&self) -> bool {
        let in_alerts = self.alerts.iter().flat_map(|alert| [&alert.when].into_iter().chain(&alert.severity));
        let mut nodes = self.watched(false).chain(self.watched(true)).chain(in_alerts).chain(self.aside());
        self.programmes.iter().any(|programme| programme.of_account)
            || nodes.any(|node| node.names_family("account."))
            || self.choices().any(|choice| choice == "account_manager")
    }

    /// What contacts learn of an account's record: what is asked of theirs.
    pub(super) fn told_of_account(&self, record: &Account) -> Account {
        let in_alerts = self.alerts.iter().flat_map(|alert| [&alert.when].into_iter().chain(&alert.severity));
        let nodes: Vec<&Node> = self.watched(false).chain(in_alerts).chain(self.aside()).collect();
        let is_read = |name: &str| {
            let chosen = name == "account_manager" && self.choices().any(|choice| choice == name);
            chosen || nodes.iter().any(|node| node.names(&format!("account.{name}")))
        };
        let text = |name: &str, field: &Option<CompactString>| field.clone().filter(|_| is_read(name));
        let is_asked = |name: &str| is_read(&format!("attributes.{name}"));
        Account {
            name: text("name", &record.name),
            parent_account_id: text("parent_account_id", &record.parent_account_id),
            tier: text("tier", &record.tier),
            icp_fit: record.icp_fit.filter(|_| is_read("icp_fit")),
            account_manager: text("account_manager", &record.account_manager),
            renewal_on: record.renewal_on.filter(|_| is_read("renewal_on")),
            contract_value: record.contract_value.filter(|_| is_read("contract_value")),
            attributes: record.attributes.iter().filter(|(name, _)| is_asked(name)).cloned().collect(),
            ..Account::default()
        }
    }

    /// What is asked on the side: which cohort somebody is in, and whether pivots are told of them.
    fn aside(&self) -> impl Iterator<Item = &Node> {
        let cohort = self.exceptions.as_ref().and_then(|rule| rule.cohort.as_ref());
        cohort.into_iter().chain(self.pivots.as_ref().and_then(|rule| rule.of.as_ref()))
    }

    /// Whether somebody is chosen by the cases that they resolved.
    pub(super) fn asks_who_resolved(&self) -> bool {
        self.choices().any(|choice| choice != "account_manager")
    }

    fn choices(&self) -> impl Iterator<Item = &str> {
        let routings = self.programmes.iter().filter_map(|it| it.routing.as_ref());
        let routings = routings.chain(self.alerts.iter().filter_map(|it| it.routing.as_ref()));
        routings.filter_map(|routing| routing.agent.as_deref())
    }

    /// Whether events of a kind, which happen to a contact, are the account's as well.
    pub(super) fn rolls_up(&self, kind: Kind) -> bool {
        kind.is_activity() && self.touches(kind, true)
    }

    /// Whether events of a kind may change a fact that is read of customers, or of accounts.
    pub(super) fn touches(&self, kind: Kind, of_account: bool) -> bool {
        let is_read = |fact: &str| self.watched(of_account).any(|node| node.names(fact));
        if kind == Kind::Account || kind.is_by_hand() || kind == Kind::Customer && self.uses_accounts() {
            return true;
        }
        if kind == Kind::Customer && self.watched(of_account).any(|node| node.names_family("attributes.")) {
            return true;
        }
        let is_of_kind = |fact: &str| match fact {
            "first_purchase" | "last_purchase" | "subscribed" => kind == Kind::Purchase,
            "last_seen" => !matches!(
                kind,
                Kind::FxRate
                    | Kind::Account
                    | Kind::Agent
                    | Kind::Customer
                    | Kind::Erasure
                    | Kind::Case
                    | Kind::ReferredPurchase
            ),
            "vip" => false,
            _ => kind == Kind::Customer,
        };
        let mut features = self.features.iter().filter(|feature| feature.kind == kind);
        let is_measured = |feature: &str| !of_account && self.measures(feature);
        features.any(|feature| is_read(&feature.name) || is_measured(&feature.name))
            || FACTS.iter().any(|fact| is_of_kind(fact) && is_read(fact))
    }
}

fn feature(name: &str, body: &Yaml) -> Feature {
    let body = body.as_object().expect("a feature is a map");
    let (function, of) = FUNCTIONS
        .iter()
        .find_map(|(word, function)| Some((*function, text_of(body, word)?)))
        .unwrap_or_else(|| panic!("feature {name} has no function"));
    let kind = match function {
        Function::Count => Kind::counted().find(|kind| kind.name() == of).expect("count names a kind"),
        _ => expr::kind_in(&of).unwrap_or_else(|e| panic!("{e}")),
    };
    let parse = |text: &str| expr::parse(text, &Scope::Event(kind)).unwrap_or_else(|e| panic!("{e}"));
    let over = text_of(body, "over");
    Feature {
        name: name.to_owned(),
        function,
        kind,
        expr: (function != Function::Count).then(|| parse(&of)),
        filter: text_of(body, "where").map(|text| parse(&text)),
        window: over.as_deref().map_or(Window::Lifetime, window),
        over,
    }
}

fn programme(name: &str, body: &Yaml, parse: &dyn Fn(&str) -> Node) -> Programme {
    let body = body.as_object().expect("a programme is a map");
    let grant = text_of(body, "grant").expect("a programme has a grant");
    let of_account = text_of(body, "applies_to").as_deref() == Some("account");
    Programme {
        name: name.to_owned(),
        of_account,
        profile: text_of(body, "profile").expect("a programme has a profile"),
        keep: parse(&text_of(body, "keep").unwrap_or_else(|| grant.clone())),
        grant: parse(&grant),
        tiers: entries(body, "tiers").map(|(tier, when)| (tier.clone(), parse(&scalar(when)))).collect(),
        tenure: duration_of(body, "tenure").unwrap_or_default(),
        grace: duration_of(body, "grace").unwrap_or_default(),
        entitlements: words(body, "entitlements"),
        greeting: text_of(body, "greeting"),
        routing: routing(body),
        budget: body.get("budget").and_then(Yaml::as_object).map(|body| budget(body, of_account, parse)),
    }
}

fn budget(body: &Map<String, Yaml>, of_account: bool, parse: &dyn Fn(&str) -> Node) -> Budget {
    let rank = text_of(body, "rank").expect("a budget has a rank");
    let time = rank.strip_prefix("earliest(").and_then(|rest| rest.strip_suffix(')'));
    let field = |name: String| match name.strip_prefix("account.") {
        None if of_account => format!("account.{name}"),
        _ => name,
    };
    Budget {
        places: places(body),
        rank: parse(time.unwrap_or(&rank)),
        is_earliest: time.is_some(),
        margin: text_of(body, "margin").map_or(Decimal::ZERO, |text| percent(&text) / Decimal::ONE_HUNDRED),
        per: text_of(body, "per").map(|name| parse(&field(name))),
        rank_text: rank,
    }
}

fn places(body: &Map<String, Yaml>) -> Places {
    let number = |body: &Map<String, Yaml>, name: &str| body.get(name).and_then(Yaml::as_u64);
    if let Some(places) = number(body, "max") {
        return Places::Max(places);
    }
    if let Some(share) = text_of(body, "share") {
        return Places::Share(percent(&share));
    }
    let capacity = body.get("capacity").and_then(Yaml::as_object).expect("a budget has places");
    let per_agent = number(capacity, "per_agent").expect("an agent can have some");
    Places::Capacity { team: text_of(capacity, "team"), per_agent }
}

fn percent(text: &str) -> Decimal {
    text.strip_suffix('%').and_then(|number| number.parse().ok()).expect("a percentage")
}

fn routing(body: &Map<String, Yaml>) -> Option<Routing> {
    let routing = body.get("routing").and_then(Yaml::as_object)?;
    let text = |name: &str| text_of(routing, name);
    Some(Routing { team: text("team"), agent: text("agent"), skill: text("skill") })
}

fn alert(name: &str, body: &Yaml, parse: &dyn Fn(&str) -> Node) -> Alert {
    let body = body.as_object().expect("an alert is a map");
    Alert {
        name: name.to_owned(),
        kind: match text_of(body, "on").as_deref() {
            Some("pivot") => "pivot".to_owned(),
            _ => text_of(body, "kind").unwrap_or_else(|| name.to_owned()),
        },
        on: text_of(body, "on").as_deref().and_then(Kind::from_name),
        pivots: PivotsOf {
            kinds: body.get("kinds").and_then(Yaml::as_array).into_iter().flatten().map(scalar).collect(),
            alerts_only: text_of(body, "level").is_some_and(|level| level == "alert"),
        },
        when: parse(&text_of(body, "when").expect("an alert has a condition")),
        severity: text_of(body, "severity").map(|text| parse(&text)),
        due: duration_of(body, "due"),
        once_per_visit: text_of(body, "once_per").is_some(),
        routing: routing(body),
        greeting: text_of(body, "greeting"),
    }
}

fn entries<'a>(map: &'a Map<String, Yaml>, name: &str) -> impl Iterator<Item = (&'a String, &'a Yaml)> {
    map.get(name).and_then(Yaml::as_object).into_iter().flatten()
}

fn text_of(map: &Map<String, Yaml>, name: &str) -> Option<String> {
    map.get(name).filter(|value| !value.is_null()).map(scalar)
}

/// An expression may be written as a bare `true` or number.
fn scalar(value: &Yaml) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn words(map: &Map<String, Yaml>, name: &str) -> Vec<String> {
    map.get(name).and_then(Yaml::as_array).into_iter().flatten().map(scalar).collect()
}

fn weight_of(value: &Yaml) -> Value {
    match value.as_i64() {
        Some(int) => Value::Int(int),
        None => Value::Decimal(scalar(value).parse().expect("a weight is a number")),
    }
}

pub(super) fn duration_of(map: &Map<String, Yaml>, name: &str) -> Option<Duration> {
    let text = text_of(map, name)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        "d" => Duration::from_hours(24),
        other => panic!("`{other}` is no unit of time"),
    };
    Some(unit * digits.parse::<u32>().expect("a whole number before the unit"))
}

fn window(text: &str) -> Window {
    let count = || text[..text.len() - 1].parse().expect("a whole number before the unit");
    match text {
        "year" => Window::Year,
        "quarter" => Window::Quarter,
        "month" => Window::Month,
        "lifetime" => Window::Lifetime,
        _ if text.ends_with('d') => Window::Days(count()),
        _ if text.ends_with('h') => Window::Hours(count()),
        _ if text.ends_with('m') => Window::Minutes(count()),
        _ => panic!("`{text}` is no window"),
    }
}

const FUNCTIONS: [(&str, Function); 6] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("avg", Function::Avg),
    ("distinct", Function::Distinct),
    ("last", Function::Last),
    ("first", Function::First),
];

/// The facts besides features, labels and programmes.
const FACTS: [&str; 14] = [
    "first_purchase",
    "last_purchase",
    "last_seen",
    "subscribed",
    "vip",
    "role",
    "support_level",
    "region",
    "vertical",
    "segment",
    "account_manager",
    "preferred_channel",
    "account_id",
    "timezone",
];
