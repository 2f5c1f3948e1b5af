//! The only namer of metrics: names, units, help and label values in one place.
//!
//! Handles are made once a task, so that the loop formats no label. Label values are small closed sets, never an id.

#![expect(clippy::disallowed_macros, reason = "this is the file that may name metrics")]

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::engine::Stats;
use crate::engine::forgotten::Forgotten;
use crate::engine::overrides::{Members, Refusal};
use crate::model::event::Acknowledged;
use crate::model::names::Named;
use crate::model::output::Output;
use crate::model::output::insight::{EXCEPTION_CANDIDATE, OVERRIDES_EXCEEDED};
use crate::model::output::pivot;
use crate::model::record::Code;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::Counts;

const RECORDS: &str = "vipstream_task_records_total";
const EVENTS: &str = "vipstream_task_events_total";
const LATE_EVENTS: &str = "vipstream_task_late_events_total";
const DUPLICATES: &str = "vipstream_task_duplicates_total";
const EXPIRED: &str = "vipstream_task_expired_events_total";
const DEAD_LETTERS: &str = "vipstream_task_dead_letters_total";
const ERASURES: &str = "vipstream_task_erasures_total";
const ERASED_EVENTS: &str = "vipstream_task_erased_events_total";
const ERASURES_FORGOTTEN: &str = "vipstream_task_forgotten_erasures_total";
const OUTPUTS: &str = "vipstream_task_outputs_total";
const DEADLINES: &str = "vipstream_task_deadlines_total";
const STALE_ALERTS: &str = "vipstream_task_stale_alerts_total";
const UNPRICED: &str = "vipstream_task_unpriced_events_total";
const UNPRICED_NOW: &str = "vipstream_task_unpriced_amounts";
const CONTACTS_BEYOND: &str = "vipstream_task_untold_contacts_total";
const UNMATCHED: &str = "vipstream_task_unmatched_refunds_total";
const CLAMPED: &str = "vipstream_task_clamped_refunds_total";
const TESTS: &str = "vipstream_task_test_purchases_total";
const SELF_REFERRALS: &str = "vipstream_task_self_referrals_total";
const UNKNOWN: &str = "vipstream_task_unknown_values_total";
const RULE_ERRORS: &str = "vipstream_task_rule_errors_total";
const SETTLEMENTS: &str = "vipstream_task_settlements_total";
const LATE_VERDICTS: &str = "vipstream_task_late_verdicts_total";
const SETTLEMENT_LAG: &str = "vipstream_task_settlement_lag_seconds";
const BUDGET_MEMBERS: &str = "vipstream_task_budget_members";
const BUDGET_CANDIDATES: &str = "vipstream_task_budget_candidates";
const REORDERED: &str = "vipstream_task_reordered_total";
const EPOCHS: &str = "vipstream_task_epochs_total";
const EPOCH_SECONDS: &str = "vipstream_task_epoch_seconds";
const COMMIT_SECONDS: &str = "vipstream_task_commit_seconds";
const CLOCK_SECONDS: &str = "vipstream_task_clock_timestamp_seconds";
const CUSTOMERS: &str = "vipstream_task_customers";
const MEMBERS: &str = "vipstream_task_members";
const MEMBERS_BY_OVERRIDE: &str = "vipstream_task_override_members";
const OVERRIDES: &str = "vipstream_task_overrides";
const OVERRIDES_REFUSED: &str = "vipstream_task_refused_overrides_total";
const ACKNOWLEDGEMENTS: &str = "vipstream_task_acknowledgements_total";
const ACCOUNTS: &str = "vipstream_task_accounts";
const HANDLES: &str = "vipstream_task_handles";
const FORGOTTEN: &str = "vipstream_task_forgotten_total";
const LEFT_OUT: &str = "vipstream_task_left_out_partitions";
const RESTORED: &str = "vipstream_task_restored";
const RESTORE_SECONDS: &str = "vipstream_task_restore_seconds";
const RESTORES: &str = "vipstream_task_restores_total";
const PASSED_OVER: &str = "vipstream_task_passed_over_snapshots_total";
const SNAPSHOTS: &str = "vipstream_task_snapshots_total";
const SNAPSHOTS_GIVEN_UP: &str = "vipstream_task_given_up_snapshots_total";
const SNAPSHOTS_UNDER_WAY: &str = "vipstream_task_snapshots_under_way";
const SNAPSHOT_TIME: &str = "vipstream_task_snapshot_timestamp_seconds";
const HANDED_OVER: &str = "vipstream_task_handed_over_records_total";
const EXCEPTIONS: &str = "vipstream_task_exceptions_total";
const PIVOTS: &str = "vipstream_task_pivots_total";
const LATE_GAPS: &str = "vipstream_task_late_gaps_total";
const EXCEPTION_KINDS: &str = "vipstream_task_exception_kinds";
const HOLDING: &str = "vipstream_task_holding_customers";
const EFFECTS: &str = "vipstream_task_effects_total";
const EFFECTS_SENT: &str = "vipstream_task_sent_effects_total";
const EFFECTS_RECEIVED: &str = "vipstream_task_received_effects_total";
const EFFECTS_WAITING: &str = "vipstream_task_waiting_effects";
const EFFECTS_LATE: &str = "vipstream_relay_late_total";
const TAKEN_IN: &str = "vipstream_task_taken_in_records_total";
const TRANSACTIONS: &str = "vipstream_task_transactions_total";
const DUE_LAG: &str = "vipstream_task_due_lag_seconds";
const LAG_RECORDS: &str = "vipstream_input_lag_records";
const LAG_SECONDS: &str = "vipstream_input_lag_seconds";
const STALLED: &str = "vipstream_input_stalled_partitions";
const TASKS_ASSIGNED: &str = "vipstream_tasks_assigned";
const TASK_ASSIGNMENTS: &str = "vipstream_task_assignments_total";
const GROUP_REBALANCES: &str = "vipstream_group_rebalances_total";
const HEADROOM_SECONDS: &str = "vipstream_input_replay_headroom_seconds";
const UNREAD_PARTITIONS: &str = "vipstream_input_unread_partitions";

/// Upper bounds of the histograms' buckets, in seconds.
pub(crate) const SECONDS_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Gives each metric its unit and help text. Called once, before the first task.
pub(crate) fn describe() {
    describe_counter!(RECORDS, Unit::Count, "Records applied, refused ones included");
    describe_counter!(EVENTS, Unit::Count, "Events that came to the engine");
    describe_counter!(LATE_EVENTS, Unit::Count, "Events that came after the deadlines they should precede");
    describe_counter!(DUPLICATES, Unit::Count, "Events whose business key had been seen");
    describe_counter!(EXPIRED, Unit::Count, "Events older than everything that could hold them");
    describe_counter!(DEAD_LETTERS, Unit::Count, "Records refused, by code");
    describe_counter!(OUTPUTS, Unit::Count, "Decisions, alerts and standings, by type");
    describe_counter!(ERASURES, Unit::Count, "Customers erased");
    describe_counter!(ERASED_EVENTS, Unit::Count, "Events about customers erased before, dropped");
    describe_counter!(
        ERASURES_FORGOTTEN,
        Unit::Count,
        "Erased customers whose later events are taken again, since too many were erased after them"
    );
    describe_counter!(DEADLINES, Unit::Count, "Deadlines that fired");
    describe_counter!(STALE_ALERTS, Unit::Count, "Alerts not sent, since they had expired");
    describe_counter!(UNPRICED, Unit::Count, "Events in a currency without a rate");
    describe_counter!(SETTLEMENTS, Unit::Count, "Settlements decided here");
    describe_counter!(LATE_VERDICTS, Unit::Count, "What was decided and came after it was to be in force");
    describe_gauge!(SETTLEMENT_LAG, Unit::Seconds, "How far behind the deadlines the newest settlement was decided");
    describe_gauge!(BUDGET_MEMBERS, Unit::Count, "Who has a place of a budget decided here, or was granted one");
    describe_gauge!(BUDGET_CANDIDATES, Unit::Count, "Who waits for a place of a budget decided here");
    describe_gauge!(UNPRICED_NOW, Unit::Count, "Amounts that count in nothing until a rate comes");
    describe_counter!(
        CONTACTS_BEYOND,
        Unit::Count,
        "Contacts beyond the 10,000 whom an account tells what it is and holds"
    );
    describe_counter!(UNMATCHED, Unit::Count, "Refunds whose order never came");
    describe_counter!(CLAMPED, Unit::Count, "Refunds of more than was left of their order");
    describe_counter!(TESTS, Unit::Count, "Test purchases, ignored");
    describe_counter!(SELF_REFERRALS, Unit::Count, "Referrals of customers by themselves, ignored");
    describe_counter!(UNKNOWN, Unit::Count, "Unknown words in optional fields, read as absent");
    describe_counter!(RULE_ERRORS, Unit::Count, "Times a rule was in error, such as reading a fact without value");
    describe_counter!(
        REORDERED,
        Unit::Count,
        "Events that came after a deadline of their customer they should precede"
    );
    describe_counter!(EPOCHS, Unit::Count, "Epochs committed");
    describe_histogram!(EPOCH_SECONDS, Unit::Seconds, "First record taken to transaction committed, one epoch");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "Transaction opened to committed, one epoch");
    describe_gauge!(CLOCK_SECONDS, Unit::Seconds, "How far event time has certainly come, as Unix time");
    describe_gauge!(CUSTOMERS, Unit::Count, "Customers known");
    describe_gauge!(ACCOUNTS, Unit::Count, "Accounts known");
    describe_gauge!(MEMBERS, Unit::Count, "Customers who hold a programme");
    describe_gauge!(
        MEMBERS_BY_OVERRIDE,
        Unit::Count,
        "Customers who hold a programme that the rule would not give them"
    );
    describe_gauge!(OVERRIDES, Unit::Count, "Overrides in force on customers");
    describe_counter!(OVERRIDES_REFUSED, Unit::Count, "Overrides refused, and tiers that they name, by reason");
    describe_counter!(ACKNOWLEDGEMENTS, Unit::Count, "Alerts that somebody acknowledged, by what they did");
    describe_gauge!(
        HANDLES,
        Unit::Count,
        "Handles known: of authors without a customer id, and those that profiles name"
    );
    describe_counter!(FORGOTTEN, Unit::Count, "Things dropped beyond a bound, or that nobody wanted in time, by what");
    describe_gauge!(LEFT_OUT, Unit::Count, "Partitions too far behind to be waited for");
    describe_gauge!(RESTORED, Unit::Count, "1 once snapshot and journal have been taken in");
    describe_gauge!(RESTORE_SECONDS, Unit::Seconds, "How long restoring took");
    describe_counter!(RESTORES, Unit::Count, "Times a task was restored from snapshot and journal");
    describe_counter!(PASSED_OVER, Unit::Count, "Snapshots that could not be used at a restart");
    describe_counter!(SNAPSHOTS, Unit::Count, "Snapshots published");
    describe_counter!(SNAPSHOTS_GIVEN_UP, Unit::Count, "Snapshots begun and given up");
    describe_gauge!(SNAPSHOTS_UNDER_WAY, Unit::Count, "1 while a snapshot is being written");
    describe_gauge!(SNAPSHOT_TIME, Unit::Seconds, "When the newest snapshot was begun, as Unix time");
    describe_counter!(HANDED_OVER, Unit::Count, "Records handed over to the task where they are at home");
    describe_counter!(TAKEN_IN, Unit::Count, "Records applied that another task handed over");
    describe_findings();
    describe_counter!(EFFECTS, Unit::Count, "What customers, accounts and handles did to some at home with this task");
    describe_counter!(EFFECTS_SENT, Unit::Count, "What they did from here to some at home with another task");
    describe_counter!(EFFECTS_RECEIVED, Unit::Count, "What they did from another task to some at home here");
    describe_gauge!(EFFECTS_WAITING, Unit::Count, "What they did that is not in force yet");
    describe_counter!(
        EFFECTS_LATE,
        Unit::Count,
        "What they did that came after the instant at which it was to be in force"
    );
    describe_counter!(TRANSACTIONS, Unit::Count, "Transactions, by how they ended");
    describe_gauge!(DUE_LAG, Unit::Seconds, "How long the earliest deadline that should have fired is overdue");
    describe_gauge!(LAG_RECORDS, Unit::Count, "Records of an input not yet applied");
    describe_gauge!(LAG_SECONDS, Unit::Seconds, "Age of the oldest record of an input not yet applied");
    describe_gauge!(STALLED, Unit::Count, "Partitions with records to apply of which none was for a minute");
    describe_gauge!(TASKS_ASSIGNED, Unit::Count, "Tasks that this process has");
    describe_counter!(TASK_ASSIGNMENTS, Unit::Count, "Tasks that the group gave to this process");
    describe_counter!(GROUP_REBALANCES, Unit::Count, "Times that the group gave or took tasks, or confirmed them");
    describe_gauge!(
        HEADROOM_SECONDS,
        Unit::Seconds,
        "How long until retention may remove the oldest record of an input that a restart needs"
    );
    describe_gauge!(UNREAD_PARTITIONS, Unit::Count, "Partitions of an input that appeared since the start");
}

fn describe_findings() {
    describe_counter!(EXCEPTIONS, Unit::Count, "Cases that agents treated as an exception, each once a kind");
    describe_counter!(
        PIVOTS,
        Unit::Count,
        "Changes of behaviour, and ends of such, that the detectors found, told or not"
    );
    describe_counter!(LATE_GAPS, Unit::Count, "Events older than the visit that came before them: they end no gap");
    describe_gauge!(
        HOLDING,
        Unit::Count,
        "Customers some of whose pivots wait until a shift of the population is over"
    );
    describe_gauge!(EXCEPTION_KINDS, Unit::Count, "Kinds of exceptions of which cases are in the window");
}

/// A task's handles.
pub(crate) struct TaskMetrics {
    records: Counter,
    counted: Vec<(Counter, Read)>,
    /// By rule, in the order of [`Stats::rule_errors`].
    rule_errors: Vec<Counter>,
    dead_letters: Vec<Counter>,
    /// By [`Forgotten`].
    forgotten: Vec<Counter>,
    outputs: Vec<(&'static str, Counter)>,
    epochs: Counter,
    epoch_seconds: Histogram,
    commit_seconds: Histogram,
    clock_seconds: Gauge,
    unpriced: Gauge,
    /// Customers, accounts, handles, kinds of exceptions, customers whose pivots wait, members, members by override,
    /// overrides.
    known: [Gauge; 8],
    /// By [`Refusal`].
    refused: Vec<Counter>,
    /// By [`Acknowledged`].
    acknowledged: Vec<Counter>,
    settlement_lag: Gauge,
    /// By programme: who has a place, and who waits.
    budgets: Vec<[Gauge; 2]>,
    left_out: Gauge,
    restored: Gauge,
    restore_seconds: Gauge,
    restores: Counter,
    passed_over: Counter,
    snapshots: Counter,
    snapshots_given_up: Counter,
    snapshots_under_way: Gauge,
    snapshot_time: Gauge,
    handed_over: Counter,
    taken_in: Counter,
    effects_sent: Counter,
    effects_received: Counter,
    effects_waiting: Gauge,
    /// By [`Ending`].
    transactions: [Counter; 5],
    /// What the engine had counted when last published.
    published: Stats,
    counted_snapshots: Counts,
}

impl TaskMetrics {
    pub(crate) fn new(task: u32, rules: &Ruleset) -> Self {
        let task = task.to_string();
        let count = |name: &'static str| counter!(name, "task" => task.clone());
        let level = |name: &'static str| gauge!(name, "task" => task.clone());
        let span = |name: &'static str| metrics::histogram!(name, "task" => task.clone());
        let restored = level(RESTORED);
        restored.set(0.0);
        Self {
            records: count(RECORDS),
            counted: COUNTED.iter().map(|(name, read)| (count(name), *read)).collect(),
            rule_errors: rules
                .judged()
                .map(|rule| counter!(RULE_ERRORS, "task" => task.clone(), "rule" => rule))
                .collect(),
            dead_letters: Code::ALL
                .iter()
                .map(|code| counter!(DEAD_LETTERS, "task" => task.clone(), "code" => code.name()))
                .collect(),
            forgotten: Forgotten::ALL
                .iter()
                .map(|what| counter!(FORGOTTEN, "task" => task.clone(), "what" => what.name()))
                .collect(),
            outputs: OUTPUT_TYPES
                .iter()
                .map(|name| (*name, counter!(OUTPUTS, "task" => task.clone(), "type" => *name)))
                .collect(),
            epochs: count(EPOCHS),
            epoch_seconds: span(EPOCH_SECONDS),
            commit_seconds: span(COMMIT_SECONDS),
            clock_seconds: level(CLOCK_SECONDS),
            unpriced: level(UNPRICED_NOW),
            known: [CUSTOMERS, ACCOUNTS, HANDLES, EXCEPTION_KINDS, HOLDING, MEMBERS, MEMBERS_BY_OVERRIDE, OVERRIDES]
                .map(level),
            refused: Refusal::ALL
                .iter()
                .map(|why| counter!(OVERRIDES_REFUSED, "task" => task.clone(), "reason" => why.name()))
                .collect(),
            acknowledged: Acknowledged::ALL
                .iter()
                .map(|action| counter!(ACKNOWLEDGEMENTS, "task" => task.clone(), "action" => action.name()))
                .collect(),
            settlement_lag: level(SETTLEMENT_LAG),
            budgets: rules.summary()[2]
                .1
                .iter()
                .map(|programme| {
                    [BUDGET_MEMBERS, BUDGET_CANDIDATES]
                        .map(|name| gauge!(name, "task" => task.clone(), "programme" => (*programme).to_owned()))
                })
                .collect(),
            left_out: level(LEFT_OUT),
            restored,
            restore_seconds: level(RESTORE_SECONDS),
            restores: count(RESTORES),
            passed_over: count(PASSED_OVER),
            snapshots: count(SNAPSHOTS),
            snapshots_given_up: count(SNAPSHOTS_GIVEN_UP),
            snapshots_under_way: level(SNAPSHOTS_UNDER_WAY),
            snapshot_time: level(SNAPSHOT_TIME),
            counted_snapshots: Counts::default(),
            handed_over: count(HANDED_OVER),
            taken_in: count(TAKEN_IN),
            effects_sent: count(EFFECTS_SENT),
            effects_received: count(EFFECTS_RECEIVED),
            effects_waiting: level(EFFECTS_WAITING),
            transactions: ENDINGS.map(|ending| counter!(TRANSACTIONS, "task" => task.clone(), "ended" => ending)),
            published: Stats::default(),
        }
    }

    /// The journal has been replayed; what the engine counted meanwhile was counted when it was first applied.
    pub(crate) fn restored(&mut self, stats: &Stats, took: Duration) {
        self.published = stats.clone();
        self.restored.set(1.0);
        self.restores.increment(1);
        self.restore_seconds.set(took.as_secs_f64());
        self.known(stats);
    }

    fn known(&self, stats: &Stats) {
        let Members { customers: members, by_override, overrides } = stats.members;
        let entities = [stats.customers, stats.accounts, stats.handles, stats.exception_kinds, stats.holding];
        let known = entities.into_iter().chain([members, by_override, overrides]);
        for (gauge, known) in self.known.iter().zip(known) {
            gauge.set(level(known));
        }
        self.settlement_lag.set(stats.settlement_lag.as_secs_f64());
        for (programme, members, candidates) in &stats.budgets {
            let [held, wanted] = &self.budgets[usize::from(*programme)];
            held.set(level(*members));
            wanted.set(level(*candidates));
        }
    }

    /// So many snapshots could not be used at a restart.
    pub(crate) fn passed_over(&self, snapshots: usize) {
        self.passed_over.increment(snapshots as u64);
    }

    /// What became of the task's snapshots so far, and whether one is being written.
    pub(crate) fn snapshots(&mut self, counts: Counts, is_under_way: bool) {
        self.snapshots.increment(counts.published - self.counted_snapshots.published);
        self.snapshots_given_up.increment(counts.given_up - self.counted_snapshots.given_up);
        self.snapshots_under_way.set(f64::from(u8::from(is_under_way)));
        self.counted_snapshots = counts;
    }

    /// When the newest snapshot was begun.
    pub(crate) fn newest_snapshot(&self, at: EventTime) {
        self.snapshot_time.set(seconds(at));
    }

    /// One epoch was committed.
    pub(crate) fn epoch(&mut self, done: &EpochDone<'_>) {
        self.records.increment(done.records as u64);
        self.handed_over.increment(done.handed_over as u64);
        self.taken_in.increment(done.taken_in as u64);
        self.effects_sent.increment(done.effects_out as u64);
        self.effects_received.increment(done.effects_in as u64);
        self.effects_waiting.set(level(done.effects_waiting as u64));
        self.epochs.increment(1);
        self.epoch_seconds.record(done.took.as_secs_f64());
        self.clock_seconds.set(seconds(done.clock));
        self.left_out.set(level(done.left_out as u64));
        if let Some(unpriced) = done.unpriced {
            self.unpriced.set(level(unpriced));
        }
        for output in done.outputs {
            self.output(output);
        }
        for (counter, read) in &self.counted {
            counter.increment(read(done.stats).saturating_sub(read(&self.published)));
        }
        for (rule, counter) in self.rule_errors.iter().enumerate() {
            let before = self.published.rule_errors.get(rule).copied().unwrap_or_default();
            counter.increment(done.stats.rule_errors[rule].saturating_sub(before));
        }
        for (counter, why) in self.refused.iter().zip(Refusal::ALL) {
            counter.increment(done.stats.refused.of(why).saturating_sub(self.published.refused.of(why)));
        }
        let acknowledged = done.stats.acknowledged.iter().zip(self.published.acknowledged);
        for (counter, (now, before)) in self.acknowledged.iter().zip(acknowledged) {
            counter.increment(now.saturating_sub(before));
        }
        for (counter, what) in self.forgotten.iter().zip(Forgotten::ALL) {
            let before = self.published.forgotten.of(what);
            counter.increment(done.stats.forgotten.of(what).saturating_sub(before));
        }
        self.known(done.stats);
        self.published = done.stats.clone();
    }

    fn output(&self, output: &Output) {
        let name = match output {
            Output::Decision(decision) => decision.change.type_name(),
            Output::Alert(_) => ALERT,
            Output::Status(_) => STATUS,
            Output::Audit(_) => AUDIT,
            Output::Insight(insight) => insight.finding.type_name(),
            Output::Pivot(_) => pivot::TYPE,
            Output::DeadLetter(_, letter) => {
                self.dead_letters[letter.code as usize].increment(1);
                return;
            }
        };
        if let Some((_, counter)) = self.outputs.iter().find(|(known, _)| *known == name) {
            counter.increment(1);
        }
    }

    /// An epoch was carried through.
    pub(crate) fn commit(&self, took: Duration) {
        self.commit_seconds.record(took.as_secs_f64());
    }

    /// A transaction ended.
    pub(crate) fn transaction(&self, ending: Ending) {
        self.transactions[ending as usize].increment(1);
    }
}

/// A gauge keeps its last value for ever: what is another process's by now must not be counted twice.
impl Drop for TaskMetrics {
    fn drop(&mut self) {
        let (waiting, unpriced) = (&self.effects_waiting, &self.unpriced);
        let levels = [&self.restored, &self.left_out, &self.snapshots_under_way, waiting, unpriced];
        levels.into_iter().chain(&self.known).chain(self.budgets.iter().flatten()).for_each(|gauge| gauge.set(0.0));
    }
}

/// Handles of the membership.
pub(crate) struct MembershipMetrics {
    assigned: Gauge,
    assignments: Counter,
    rebalances: Counter,
}

impl MembershipMetrics {
    pub(crate) fn new() -> Self {
        let assigned = gauge!(TASKS_ASSIGNED);
        assigned.set(0.0);
        Self { assigned, assignments: counter!(TASK_ASSIGNMENTS), rebalances: counter!(GROUP_REBALANCES) }
    }

    /// How many tasks the process has now.
    pub(crate) fn assigned(&self, tasks: usize) {
        self.assigned.set(level(tasks as u64));
    }

    /// The group gave so many tasks, or none, or took some away.
    pub(crate) fn rebalanced(&self, given: usize) {
        self.rebalances.increment(1);
        self.assignments.increment(given as u64);
    }
}

/// Reads one of the engine's counters.
type Read = fn(&Stats) -> u64;

/// What the engine counts, each under its name.
const COUNTED: [(&str, Read); 24] = [
    (EVENTS, |stats| stats.events),
    (LATE_EVENTS, |stats| stats.late),
    (DUPLICATES, |stats| stats.duplicates),
    (EXPIRED, |stats| stats.expired),
    (ERASURES, |stats| stats.erasures),
    (ERASED_EVENTS, |stats| stats.erased_events),
    (ERASURES_FORGOTTEN, |stats| stats.erasures_forgotten),
    (EXCEPTIONS, |stats| stats.exceptions),
    (PIVOTS, |stats| stats.pivots),
    (LATE_GAPS, |stats| stats.gaps_late),
    (DEADLINES, |stats| stats.deadlines),
    (STALE_ALERTS, |stats| stats.stale_alerts),
    (UNPRICED, |stats| stats.unpriced),
    (SETTLEMENTS, |stats| stats.settlements),
    (LATE_VERDICTS, |stats| stats.settlements_late),
    (CONTACTS_BEYOND, |stats| stats.contacts_beyond),
    (UNMATCHED, |stats| stats.unmatched),
    (CLAMPED, |stats| stats.clamped),
    (TESTS, |stats| stats.tests),
    (SELF_REFERRALS, |stats| stats.self_referrals),
    (UNKNOWN, |stats| stats.unknown_values),
    (REORDERED, |stats| stats.reordered),
    (EFFECTS, |stats| stats.effects),
    (EFFECTS_LATE, |stats| stats.effects_late),
];

/// How a transaction ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Committed,
    Aborted,
    Fenced,
    Unknown,
    Denied,
}

/// In the order of [`Ending`].
const ENDINGS: [&str; 5] = ["committed", "aborted", "fenced", "unknown", "denied"];

/// What is published of an epoch.
pub(crate) struct EpochDone<'a> {
    pub(crate) records: usize,
    /// Records that went to other tasks, and that came from them.
    pub(crate) handed_over: usize,
    pub(crate) taken_in: usize,
    /// Effects that went to other tasks, that came from them, and that wait here to be in force.
    pub(crate) effects_out: usize,
    pub(crate) effects_in: usize,
    pub(crate) effects_waiting: usize,
    pub(crate) outputs: &'a [Output],
    pub(crate) stats: &'a Stats,
    pub(crate) took: Duration,
    pub(crate) clock: EventTime,
    pub(crate) left_out: usize,
    /// Amounts that wait for a rate, where they were counted.
    pub(crate) unpriced: Option<u64>,
}

/// How far an input is ahead.
#[derive(Debug, Default)]
pub(crate) struct InputLag {
    pub(crate) records: u64,
    pub(crate) behind: Duration,
    /// Partitions that do not move.
    pub(crate) stalled: u64,
}

/// Publishes how far an input, or the relay, is ahead.
pub(crate) fn lag(input: &str, lag: &InputLag) {
    gauge!(LAG_RECORDS, "input" => input.to_owned()).set(level(lag.records));
    gauge!(LAG_SECONDS, "input" => input.to_owned()).set(lag.behind.as_secs_f64());
    gauge!(STALLED, "input" => input.to_owned()).set(level(lag.stalled));
}

/// Publishes how long a task's earliest deadline is overdue.
pub(crate) fn due_lag(task: u32, overdue: Duration) {
    gauge!(DUE_LAG, "task" => task.to_string()).set(overdue.as_secs_f64());
}

/// Publishes how long a restart will find all that it needs of an input; `None`: for ever.
pub(crate) fn headroom(input: &'static str, left: Option<Duration>) {
    gauge!(HEADROOM_SECONDS, "input" => input).set(left.map_or(f64::INFINITY, |left| left.as_secs_f64()));
}

/// Publishes how many partitions of an input are not read before the next start.
pub(crate) fn unread(input: &'static str, partitions: u32) {
    gauge!(UNREAD_PARTITIONS, "input" => input).set(level(u64::from(partitions)));
}

/// Gauges are floating point; counts stay exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge takes nothing else, and counts stay below 2^53")]
fn level(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "event times stay below 2^53 milliseconds")]
fn seconds(time: EventTime) -> f64 {
    time.0 as f64 / 1_000.0
}

const ALERT: &str = "agent.alert";

const STATUS: &str = "status";
const AUDIT: &str = "decision";
const OUTPUT_TYPES: [&str; 13] = [
    "vip.granted",
    "vip.revoked",
    "vip.changed",
    "vip.expiring",
    "vip.waitlisted",
    "cohort.entered",
    "cohort.left",
    ALERT,
    STATUS,
    AUDIT,
    EXCEPTION_CANDIDATE,
    OVERRIDES_EXCEEDED,
    pivot::TYPE,
];
