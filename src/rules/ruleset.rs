//! The compiled ruleset.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::budget::{Budget, Places};
use super::calendar::{Calendar, Window};
use super::fact::{AccountReads, Fact};
use super::fields::Field;
use super::percentile::Percentile;
use super::pivots::{PivotRule, bit};
use super::program::Program;
use super::value::Type;
use crate::model::event::Kind;
use crate::model::id::EntityKind;
use crate::model::output::Scalar;
use crate::model::time::EventTime;
use crate::pivot::budget::Grade;
use crate::pivot::population::Population;
use crate::pivot::settings::Settings;
use crate::pivot::{self, Channel, Direction};

/// Everything that decides: features, labels, programmes, alerts, weights. Immutable once loaded.
#[derive(Debug)]
pub struct Ruleset {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) hash: String,
    pub(crate) currency: CompactString,
    pub(crate) calendar: Calendar,
    pub(crate) lateness: Duration,
    pub(crate) visit_gap: Duration,
    /// From an entity's doing something to another until that is in force.
    pub(crate) hop: Duration,
    /// From settlement to settlement; at least two hops.
    pub(crate) settle: Duration,
    /// Places over all programmes for customers.
    pub(crate) budget: Option<Places>,
    /// Of all who hold anything, the most who may by a person's word alone.
    pub(crate) max_overrides: Option<Decimal>,
    /// A refund revokes at once, without tenure and grace.
    pub(crate) refund_skips_grace: bool,
    pub(crate) features: Vec<Feature>,
    pub(crate) labels: Vec<Label>,
    pub(crate) programmes: Vec<Programme>,
    pub(crate) alerts: Vec<AlertRule>,
    pub(crate) exceptions: Option<ExceptionRule>,
    pub(crate) pivots: Option<PivotRule>,
    pub(crate) weights: BTreeMap<CompactString, Scalar>,
    /// Names of the attributes that rules read.
    pub(crate) attributes: Vec<CompactString>,
    /// What rules read of the values of all customers.
    pub(crate) percentiles: Vec<Percentile>,
    /// Places of the features that they are of, each once.
    pub(crate) measured: Vec<u8>,
    pub(crate) plan: Plan,
}

/// A rolling fact.
#[derive(Debug)]
pub struct Feature {
    pub name: CompactString,
    pub kind: Kind,
    pub aggregate: Aggregate,
    /// What is summed, averaged or remembered; `None` for a count.
    pub value: Option<Program>,
    pub filter: Option<Filter>,
    pub window: Window,
    /// As written; `None` for a lifetime.
    pub window_text: Option<CompactString>,
    pub type_: Type,
}

/// A `where` and the bit under which an event's answer is kept.
#[derive(Debug)]
pub struct Filter {
    pub program: Program,
    /// Place among the kind's filters, below [`MAX_FILTERS`].
    pub bit: u8,
}

/// Most features with `where` over one kind of event.
pub const MAX_FILTERS: usize = 16;
/// Most features of a ruleset.
pub const MAX_FEATURES: usize = 64;
/// Most programmes of a ruleset.
pub const MAX_PROGRAMMES: usize = 32;
/// Most labels of a ruleset.
pub const MAX_LABELS: usize = 64;
/// Most alerts of a ruleset.
pub const MAX_ALERTS: usize = 16;
/// Most cases of a kind of exception that are counted.
pub const MAX_EXCEPTIONS: usize = 4096;
/// Most tiers of a programme.
pub const MAX_TIERS: usize = 16;

/// How contributions become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Count,
    Sum,
    Avg,
    Distinct,
    Last,
    First,
}

/// A yes or no about a customer, announced when it changes.
#[derive(Debug)]
pub struct Label {
    pub name: CompactString,
    pub when: Program,
}

/// One reason to be a VIP, with its own clock.
#[derive(Debug)]
pub struct Programme {
    pub name: CompactString,
    /// Judged at accounts; a customer holds it as long as their account does.
    pub of_account: bool,
    pub profile: CompactString,
    pub grant: Program,
    pub keep: Program,
    /// Highest first.
    pub tiers: Vec<(CompactString, Program)>,
    pub tenure: Duration,
    pub grace: Duration,
    pub routing: Option<RoutingRule>,
    pub greeting: Option<String>,
    pub entitlements: Vec<CompactString>,
    pub budget: Option<Budget>,
}

impl Programme {
    /// All its expressions.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let tiers = self.tiers.iter().map(|(_, tier)| tier);
        let budget = self.budget.iter().flat_map(Budget::programs);
        [&self.grant, &self.keep].into_iter().chain(tiers).chain(budget)
    }
}

/// Where a programme's members go.
#[derive(Clone, Debug)]
pub struct RoutingRule {
    pub team: Option<CompactString>,
    pub agent: Option<Choice>,
    /// What an agent chosen by how well they resolve must be able to do.
    pub skill: Option<CompactString>,
}

/// How an agent is chosen first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one whom the profile names, whatever they have to do.
    AccountManager,
    /// Who resolved a case of the customer's well last.
    LastResolved,
    /// Who handled most of the customer's cases.
    Familiar,
    /// Who resolves cases well.
    Best,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::LastResolved, Self::Familiar, Self::Best, Self::AccountManager];

    /// The word in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountManager => "account_manager",
            Self::LastResolved => "last_resolved",
            Self::Familiar => "familiar",
            Self::Best => "best",
        }
    }
}

/// When an agent should act at once.
#[derive(Debug)]
pub struct AlertRule {
    pub name: CompactString,
    pub kind: &'static str,
    pub on: On,
    pub when: Program,
    pub severity: Option<Program>,
    pub due: Option<Duration>,
    pub once_per_visit: bool,
    /// Where it goes, and how the customer is greeted, where no programme held says.
    pub routing: Option<RoutingRule>,
    pub greeting: Option<String>,
}

/// What an alert is raised on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Event(Kind),
    /// A pivot that is told: of these kinds, as bits, and of at least this level.
    Pivot {
        kinds: u16,
        least: Grade,
    },
}

/// When a kind of exception is so frequent that it is proposed as the norm.
#[derive(Debug)]
pub struct ExceptionRule {
    /// Which customers are counted together.
    pub cohort: Option<Program>,
    /// Both are to be reached.
    pub cases: u32,
    pub customers: u32,
    pub window: Window,
    /// As written.
    pub window_text: CompactString,
}

/// What follows from the rules for each kind of event, worked out once.
#[derive(Debug, Default)]
pub struct Plan {
    kinds: [KindPlan; Kind::COUNT],
    /// What labels and programmes read of customers, and what programmes read of accounts.
    pub(super) customers: Watch,
    pub(super) accounts: Watch,
    /// Whether anything is decided or said by what an account is: only then customers are tied to theirs.
    pub uses_accounts: bool,
    /// Whether there are programmes that accounts hold.
    pub judges_accounts: bool,
    /// What of their account's record is read of customers.
    pub told_of_accounts: AccountReads,
    /// Whether it is to be known who resolved which cases, and how well: some routing chooses by it.
    pub resolvers: bool,
    /// The kinds of event, as bits, that reach the account of whom they are about.
    pub rolled_up: u16,
    /// For each feature its place among those that sum.
    pub sums: Vec<Option<u8>>,
    /// For each label the kinds of event that may change its answer, as [`Kind::bit`]s; for each programme not held
    /// likewise. [`ALWAYS`] where anything may.
    pub inputs: [Vec<u16>; 2],
}

/// What time and events may change for one sort of entity.
#[derive(Debug, Default)]
pub struct Watch {
    /// The features that are read, as bits by place: their exits are looked at.
    pub(super) features: u64,
    /// `days_since` comparisons.
    pub days: Vec<(Fact, super::program::Comparison, i64)>,
    /// Whether `subscribed` is read.
    pub subscribed: bool,
    /// By kind: whether its events, besides counting in features, may change what is read.
    pub reads: Reads,
}

impl Watch {
    /// Whether the feature is read.
    pub const fn has(&self, feature: u8) -> bool {
        self.features >> feature & 1 == 1
    }

    /// Places of the features that are read.
    pub fn features(&self) -> impl Iterator<Item = u8> {
        (0..64).filter(|feature| self.has(*feature))
    }
}

/// Stands in [`Plan::inputs`] for what is to be judged at every look.
pub const ALWAYS: u16 = 1 << 15;

/// Facts other than features that are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four questions, each with its own answer")]
pub struct Reads {
    pub last_seen: bool,
    pub purchases: bool,
    pub profile: bool,
    pub account: bool,
}

/// What is kept of one kind of event.
#[derive(Debug, Default)]
pub struct KindPlan {
    /// Places of the features over it.
    pub features: Vec<u8>,
    /// Fields that features' expressions read, but for a purchase's amount: kept with each event.
    pub stored: Vec<Field>,
    /// Fields that filters read beside an amount, and no expression: kept where the amount may be priced anew.
    pub judged: Vec<Field>,
    /// The windows over it, each once, and whether one is a lifetime.
    pub windows: Vec<Window>,
    pub lifetime: bool,
    /// Places of the alerts on it.
    pub alerts: Vec<u8>,
}

impl Plan {
    /// The plan of one kind.
    pub const fn of(&self, kind: Kind) -> &KindPlan {
        &self.kinds[kind as usize]
    }

    /// What is watched of an entity of this sort.
    pub const fn watch(&self, entity: EntityKind) -> &Watch {
        match entity {
            EntityKind::Account => &self.accounts,
            _ => &self.customers,
        }
    }

    pub(super) const fn watch_mut(&mut self, of_account: bool) -> &mut Watch {
        if of_account { &mut self.accounts } else { &mut self.customers }
    }

    /// Whether an event of the kind may change what a label or programme reads of an entity.
    pub fn touches(&self, entity: EntityKind, kind: Kind) -> bool {
        let Watch { subscribed, reads, .. } = self.watch(entity);
        let seen = reads.last_seen && kind.is_activity() && kind != Kind::Case;
        let bought = kind == Kind::Purchase && (reads.purchases || *subscribed);
        let described = kind == Kind::Customer && (reads.profile || self.uses_accounts) || kind == Kind::Account;
        seen || bought
            || described
            || kind.is_by_hand()
            || self.of(kind).features.iter().any(|feature| self.watch(entity).has(*feature))
    }

    /// Whether events of the kind reach the account of whom they are about.
    pub const fn rolls_up(&self, kind: Kind) -> bool {
        self.rolled_up & kind.bit() != 0
    }

    pub(super) const fn of_mut(&mut self, kind: Kind) -> &mut KindPlan {
        &mut self.kinds[kind as usize]
    }
}

impl Ruleset {
    /// Whether a detector reads events of the kind, and may be told of.
    fn is_watched(&self, kind: Kind) -> bool {
        let Some(rule) = &self.pivots else { return false };
        let tells = |of: pivot::Kind| rule.kinds & bit(of) != 0;
        let reads = |channel: Channel| Direction::BOTH.iter().any(|direction| tells(channel.kind(*direction)));
        match kind {
            Kind::Purchase => {
                let channels = [Channel::Cadence, Channel::Spend, Channel::Refund, Channel::Channel];
                tells(pivot::Kind::Silence) || channels.into_iter().any(reads)
            }
            Kind::Csat => reads(Channel::Csat),
            Kind::Mention => reads(Channel::Sentiment),
            Kind::Engagement => reads(Channel::Engagement),
            _ => false,
        }
    }

    /// The kinds of event without which something in the rules stays without an answer.
    pub fn asks_for(&self) -> impl Iterator<Item = Kind> {
        let plan = &self.plan;
        let profile = plan.customers.reads.profile || plan.uses_accounts;
        Kind::ALL.into_iter().filter(move |kind| {
            let KindPlan { features, alerts, .. } = plan.of(*kind);
            let is_derived = |kind| self.follows_referrals() && matches!(kind, Kind::Purchase | Kind::Referral);
            !features.is_empty()
                || !alerts.is_empty()
                || is_derived(*kind)
                || self.is_watched(*kind)
                || match kind {
                    Kind::Case => plan.resolvers || self.exceptions.is_some(),
                    Kind::Agent => plan.resolvers,
                    Kind::Customer => profile,
                    Kind::Account => plan.uses_accounts,
                    _ => false,
                }
        })
    }

    /// What the detectors of pivots go by, where it asks for any.
    pub fn pivot_settings(&self) -> Option<&Settings> {
        self.pivots.as_ref().map(|rule| &rule.settings)
    }

    /// The name it gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hash of its text, 32 hex digits: its identity.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How long after its cause an effect on another entity is in force.
    pub const fn hop(&self) -> Duration {
        self.hop
    }

    /// From settlement to settlement.
    pub const fn settle(&self) -> Duration {
        self.settle
    }

    /// Whether something is decided that needs everybody.
    pub fn settles(&self) -> bool {
        let counts = !self.percentiles.is_empty() || self.max_overrides.is_some() || self.population().is_some();
        counts || self.programmes.iter().any(|programme| programme.budget.is_some())
    }

    /// Whether all customers are counted.
    pub(crate) fn counts_all(&self) -> bool {
        !self.measured.is_empty() || self.counts_active()
    }

    /// The numbers of places, of programmes and over all.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Places> {
        let budgets = self.programmes.iter().filter_map(|programme| programme.budget.as_ref());
        budgets.map(|budget| &budget.places).chain(&self.budget)
    }

    /// Whether it matters how many customers are active.
    pub(crate) fn counts_active(&self) -> bool {
        self.population().is_some() || self.places().any(|places| matches!(places, Places::Share(_)))
    }

    /// When pivots are a shift of the population, where anybody asks.
    pub(crate) fn population(&self) -> Option<(&PivotRule, &Population)> {
        let rule = self.pivots.as_ref()?;
        Some((rule, rule.population.as_ref()?))
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How long deadlines wait for late events.
    pub const fn lateness(&self) -> Duration {
        self.lateness
    }

    /// Names of features, labels, programmes and alerts, for people.
    pub fn summary(&self) -> [(&'static str, Vec<&str>); 4] {
        [
            ("features", self.features.iter().map(|feature| feature.name.as_str()).collect()),
            ("labels", self.labels.iter().map(|label| label.name.as_str()).collect()),
            ("programmes", self.programmes.iter().map(|programme| programme.name.as_str()).collect()),
            ("alerts", self.alerts.iter().map(|alert| alert.name.as_str()).collect()),
        ]
    }

    /// What is judged, in the order of the engine's error counts: `labels.NAME`, `programmes.NAME`, `alerts.NAME`.
    pub(crate) fn judged(&self) -> impl Iterator<Item = String> {
        let labels = self.labels.iter().map(|label| format!("labels.{}", label.name));
        let programmes = self.programmes.iter().map(|programme| format!("programmes.{}", programme.name));
        let alerts = self.alerts.iter().map(|alert| format!("alerts.{}", alert.name));
        labels.chain(programmes).chain(alerts)
    }

    /// Whether purchases of referred customers count for anybody.
    pub(crate) const fn follows_referrals(&self) -> bool {
        !self.plan.of(Kind::ReferredPurchase).features.is_empty()
    }

    /// How many features sum.
    pub(crate) fn sums(&self) -> usize {
        self.plan.sums.iter().flatten().count()
    }

    /// A feature's place among those that sum.
    pub(crate) fn sum_of(&self, feature: u8) -> Option<usize> {
        self.plan.sums[usize::from(feature)].map(usize::from)
    }

    /// Until when an event or object of a kind at `place` is remembered; `None` for ever.
    pub(crate) fn forgotten_at(&self, kind: Kind, place: EventTime) -> Option<EventTime> {
        let day = place.plus(DEDUP);
        let plan = self.plan.of(kind);
        if matches!(kind, Kind::Presence | Kind::Engagement) {
            return Some(day);
        }
        if plan.lifetime {
            return None;
        }
        // Orders and referrals are remembered as long as whoever referred the buyer may count the orders.
        let referred = self.plan.of(Kind::ReferredPurchase);
        let counts_there = matches!(kind, Kind::Purchase | Kind::Referral);
        if counts_there && referred.lifetime {
            return None;
        }
        let others = referred.windows.iter().filter(|_| counts_there);
        let exits = plan.windows.iter().chain(others).filter_map(|window| self.calendar.exit(*window, place));
        exits.chain([day]).max()
    }
}

/// How long a business key is remembered at least.
pub(crate) const DEDUP: Duration = Duration::from_hours(24);
