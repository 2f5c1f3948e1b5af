//! The pure core: an epoch in, outputs out. Read this first.
//!
//! Before each event its customer's deadlines fire, then the event is applied, then one look judges labels and programmes,
//! then alerts. Everybody else's deadlines fire as the clock passes them, in slices.

mod absorb;
mod account;
mod advocates;
mod agents;
mod alert;
mod apply;
mod audit;
mod bucket;
mod customer;
mod customers;
mod deadlines;
mod effects;
mod entry;
mod erased;
mod evidence;
mod exceptions;
pub mod export;
mod features;
pub mod forgotten;
mod held_back;
mod identity;
pub mod image;
mod look;
mod money;
pub mod overrides;
mod pivots;
mod presence;
mod programme;
mod rates;
mod reprice;
mod resolved;
mod routing;
mod seat;
mod settle;
mod shares;
mod status;
mod tally;
mod ties;
mod view;
mod windows;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

pub use effects::Home;

use crate::model::effect::{Effect, Origin};
use crate::model::event::{Acknowledged, Body, Event, Kind};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::names::Named;
use crate::model::output::Output;
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::pivot::Observation;
use crate::rules::ruleset::{DEDUP, Ruleset};
use agents::Agents;
use alert::Raised;
use apply::{Arrival, Outcome};
use customer::NEVER;
use customers::{Customers, GROUP, Slot};
use deadlines::Deadlines;
use effects::Effects;
use erased::Erased;
use forgotten::Forgotten;
use look::{Brought, Occasion};
use overrides::Members;
use rates::{Prices, Rates};
use reprice::Foreign;
use settle::Settlement;
use ties::Sending;

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// Events are judged against the wall clock: `lateness` is waited for, alerts go stale.
    Live,
    /// Events alone move time: replay, demo, tests.
    Event,
}

/// The state of every customer homed on one task, and the rules that judge it.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<Ruleset>,
    app: String,
    mode: TimeMode,
    /// How far event time has certainly come. Invariant: never moves back.
    clock: EventTime,
    wall: EventTime,
    customers: Customers,
    erased: Erased,
    deadlines: Deadlines,
    /// Those of accounts, who tell others what comes of them.
    account_deadlines: Deadlines,
    /// Looks that wait for the clock to reach their customer's time.
    looks: Deadlines,
    home: Home,
    effects: Effects,
    rates: Rates,
    foreign: Foreign,
    agents: Agents,
    settlement: Settlement,
    /// The instant at hand, in `event`: what is caused now is in force later than it.
    now: EventTime,
    /// Empty but while something is applied: what it does to others, what of that is taken at once, and what leaves.
    sendings: Vec<Sending>,
    arrivals: VecDeque<Effect>,
    leaving: Vec<(u32, Effect)>,
    /// What detectors were shown, where somebody wants to know.
    observed: Option<Vec<(CustomerId, EventTime, Observation)>>,
    /// Authors of whom nothing is remembered any more, and whose places are to be given back.
    quiet: Vec<Slot>,
    /// Somebody is merged into another, or was.
    merges: bool,
    behind: bool,
    stats: Stats,
    members: Members,
    /// Rules in error: labels, programmes, alerts.
    errors: Vec<Cell<u64>>,
}

/// Plain counters since the engine was made; the task publishes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events applied or counted, dead letters not.
    pub events: u64,
    pub duplicates: u64,
    /// Older than the deadlines they should precede.
    pub late: u64,
    /// Older than everything that could hold them.
    pub expired: u64,
    /// Test purchases.
    pub tests: u64,
    /// Referrals of a customer by the same customer.
    pub self_referrals: u64,
    /// In a currency without a rate.
    pub unpriced: u64,
    /// Customers erased, whether anything was known of them or not.
    pub erasures: u64,
    /// What entities did to entities here, at home here or not; and what of it came after its instant.
    pub effects: u64,
    pub effects_late: u64,
    /// Settlements decided here, and how far behind `due` the newest was.
    pub settlements: u64,
    pub settlement_lag: std::time::Duration,
    /// What was decided and came after it was to be in force.
    pub settlements_late: u64,
    /// Events about customers erased before: dropped.
    pub erased_events: u64,
    /// Erased customers whose later events are taken again, since too many were erased after them.
    pub erasures_forgotten: u64,
    /// Refunds beyond their order's amount.
    pub clamped: u64,
    /// Refunds whose order never came.
    pub unmatched: u64,
    /// Came after a deadline of their customer that they should precede.
    pub reordered: u64,
    /// Alerts past their `expires_at`.
    pub stale_alerts: u64,
    /// Values of optional enums that this build does not know.
    pub unknown_values: u64,
    pub dead_letters: u64,
    /// Deadlines that fired.
    pub deadlines: u64,
    /// Customers known.
    pub customers: u64,
    /// Accounts known.
    pub accounts: u64,
    /// Handles known: of authors without a customer id, and those that profiles name.
    pub handles: u64,
    /// Kinds of exceptions known: those with cases in the window.
    pub exception_kinds: u64,
    /// Customers some of whose pivots wait.
    pub holding: u64,
    /// What was dropped beyond a bound.
    pub forgotten: forgotten::Tally,
    /// What people decided that was refused, and what they did about alerts.
    pub refused: overrides::Refused,
    pub acknowledged: [u64; Acknowledged::ALL.len()],
    /// Who holds anything, and by whose word.
    pub members: Members,
    /// By programme whose budget is decided here: who has a place or was granted one, and who waits.
    pub budgets: Vec<(u8, u64, u64)>,
    /// Lasting changes that the detectors found, told or not, and events older than the gap that they would end.
    pub pivots: u64,
    pub gaps_late: u64,
    /// Cases that agents treated as an exception, each once a kind.
    pub exceptions: u64,
    /// Contacts beyond those whom an account tells what it is and holds.
    pub contacts_beyond: u64,
    /// How often each rule was in error: labels, programmes, alerts, each in file order.
    pub rule_errors: Vec<u64>,
}

/// Deadlines fired for others in one epoch; more wait for the next, so that a wave at midnight delays no event.
const SLICE: usize = 10_000;
/// So many deadlines of which nothing comes take as long as one output, with all that leads to it. An epoch of many records
/// may take longer anyway: then as many outputs may come of time as of them.
const SAID: usize = 8;

impl Engine {
    /// An engine without customers.
    pub fn new(rules: Arc<Ruleset>, app: &str, mode: TimeMode, home: Home) -> Self {
        let errors = vec![Cell::new(0); rules.labels.len() + rules.programmes.len() + rules.alerts.len()];
        Self {
            errors,
            rules,
            app: app.to_owned(),
            mode,
            clock: EventTime::MIN,
            wall: EventTime::MIN,
            customers: Customers::default(),
            erased: Erased::default(),
            deadlines: Deadlines::default(),
            account_deadlines: Deadlines::default(),
            looks: Deadlines::default(),
            home,
            effects: Effects::default(),
            rates: Rates::default(),
            foreign: Foreign::default(),
            agents: Agents::default(),
            settlement: Settlement::default(),
            now: EventTime::MIN,
            sendings: Vec::new(),
            arrivals: VecDeque::new(),
            leaving: Vec::new(),
            observed: None,
            quiet: Vec::new(),
            merges: false,
            behind: false,
            stats: Stats::default(),
            members: Members::default(),
        }
    }

    /// Applies one epoch: each record with the deadlines that fall due before it, then time up to the epoch's clock.
    pub fn apply(&mut self, epoch: Epoch, outputs: &mut Vec<Output>) {
        let Epoch { effects, records, clock, wall } = epoch;
        self.wall = self.wall.max(wall);
        self.behind = false;
        self.customers.begin_epoch();
        self.go_on_saying();
        self.go_on_recalling();
        for effect in effects {
            self.receive(effect, outputs);
        }
        let mut slice = SLICE + SAID * records.len();
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            // A group ends with an erasure: whoever it is about is met no more.
            let erasure = rest.iter().take(GROUP).position(|record| record.position.kind == Kind::Erasure);
            let (group, after) = rest.split_at(erasure.map_or(rest.len().min(GROUP), |at| at + 1));
            rest = after;
            let slots = self.customers.meet(group, &self.rules, &self.erased);
            for (record, slot) in group.iter().zip(slots) {
                let reached = match self.mode {
                    TimeMode::Live => record.merge_time.min(clock).min(self.wall),
                    TimeMode::Event => record.merge_time,
                };
                self.clock = self.clock.max(reached);
                self.fire_due(&mut slice, outputs);
                self.now = self.clock;
                self.take(record, slot, outputs);
                self.take_arrivals(outputs);
            }
            self.give_back();
        }
        self.clock = self.clock.max(clock);
        self.fire_due(&mut slice, outputs);
        self.tell_reached();
        self.take_arrivals(outputs);
        self.behind |= self.has_verdicts_to_tell() || self.settlement.recalling.is_some();
        self.give_back();
    }

    /// Whether due deadlines were left for the next epoch (a wave is worked off in slices).
    pub const fn is_behind(&self) -> bool {
        self.behind
    }

    /// The earliest queued deadline: an epoch whose clock reaches it, `lateness` included, may have work.
    pub fn next_deadline(&self) -> Option<EventTime> {
        let deadlines = self.deadlines.first().into_iter().chain(self.account_deadlines.first());
        let deadline = deadlines.min().map(|at| at.plus(self.lateness()));
        let waiting = self.looks.first().into_iter().chain(self.effects.first());
        deadline.into_iter().chain(waiting).chain(self.next_settlement_by_clock()).min()
    }

    /// How far event time has come.
    pub const fn clock(&self) -> EventTime {
        self.clock
    }

    /// Counters so far.
    pub fn stats(&self) -> Stats {
        let rule_errors = self.errors.iter().map(Cell::get).collect();
        let known = |kind| self.customers.len(kind) as u64;
        let (customers, accounts) = (known(EntityKind::Customer), known(EntityKind::Account));
        Stats {
            customers,
            accounts,
            handles: known(EntityKind::Author),
            rule_errors,
            exception_kinds: known(EntityKind::Exception),
            holding: self.settlement.holding.len() as u64,
            members: self.members,
            budgets: self.budget_counts(),
            settlement_lag: self.settlement_lag(),
            ..self.stats.clone()
        }
    }

    fn lateness(&self) -> std::time::Duration {
        match self.mode {
            TimeMode::Live => self.rules.lateness,
            TimeMode::Event => std::time::Duration::ZERO,
        }
    }

    fn due(&self) -> EventTime {
        self.clock.minus(self.lateness())
    }

    /// Fires what fell due and takes what is in force, in the order (instant, id), as far as the slice reaches.
    fn fire_due(&mut self, slice: &mut usize, outputs: &mut Vec<Output>) {
        let (due, clock) = (self.due(), self.clock);
        // In `event` it matters what comes first where what is said of one customer depends on what others did.
        let in_order = self.mode == TimeMode::Event && (self.rules.plan.resolvers || self.rules.settles());
        loop {
            self.take_arrivals(outputs);
            let customers = &self.customers;
            let by_id = |slots: &mut Vec<Slot>| customers.sort(slots);
            let has_room = *slice > 0 || in_order;
            // In `event` nothing but order says what comes first: effects wait for no next epoch.
            let effect = self.effects.first().filter(|at| *at <= clock && (has_room || self.mode == TimeMode::Event));
            let settlement = self.next_settlement().filter(|at| *at <= due && has_room);
            let limit = [effect, settlement].into_iter().flatten().fold(due, EventTime::min);
            // What an account becomes is said at a settlement, and no earlier deadline may come after that.
            let first = self.deadlines.first().filter(|_| self.rules.settles());
            let limit_of_accounts = first.map_or(limit, |first| first.min(limit));
            // Looks first: a customer's deadline lies after the time for which its look waits.
            if has_room && let Some((at, slot)) = self.looks.pop(clock, by_id) {
                let customer = &self.customers[slot];
                if customer.look_pending && customer.as_of <= at {
                    *slice = slice.saturating_sub(1);
                    self.customers.touch(slot);
                    self.look_now(slot, outputs);
                    self.requeue(slot);
                }
            } else if (has_room || self.mode == TimeMode::Event)
                && let Some((at, slot)) = self.account_deadlines.pop(limit_of_accounts, by_id)
            {
                // What an account tells is in force a hop later, whatever else falls due.
                *slice = slice.saturating_sub(usize::from(self.reach(slot, at, outputs)));
            } else if has_room && let Some((at, slot)) = self.deadlines.pop(limit, by_id) {
                let said = outputs.len();
                let fires = self.reach(slot, at, outputs);
                *slice = slice.saturating_sub(usize::from(fires) + SAID * (outputs.len() - said));
            } else if effect.is_some_and(|effect| settlement.is_none_or(|at| effect <= at)) {
                *slice = slice.saturating_sub(1);
                self.take_first_effect(outputs);
            } else if let Some(at) = settlement {
                self.settle(at, outputs);
            } else {
                break;
            }
        }
        let waits = |first: Option<EventTime>, until| first.is_some_and(|at| at <= until);
        self.behind = waits(self.deadlines.first(), due)
            || waits(self.account_deadlines.first(), due)
            || waits(self.looks.first(), clock)
            || waits(self.effects.first(), clock)
            || waits(self.next_settlement(), due)
            || self.is_saying();
        if !self.behind {
            self.pass_settlements(due);
        }
    }

    /// A queued instant came up: fires the deadline if it still stands, else queues the one that does.
    fn reach(&mut self, slot: Slot, at: EventTime, outputs: &mut Vec<Output>) -> bool {
        self.pass_settlements(EventTime(at.0 - 1));
        let customer = &mut self.customers[slot];
        if customer.queued != at {
            return false;
        }
        customer.queued = NEVER;
        let fires = customer.deadline == at;
        if fires {
            self.now = self.now.max(at);
            self.customers.touch(slot);
            self.fire(slot, outputs);
        }
        self.requeue(slot);
        fires
    }

    /// Fires a customer's deadline: time moves to it, then one look.
    fn fire(&mut self, slot: Slot, outputs: &mut Vec<Output>) {
        let customer = &mut self.customers[slot];
        let (at, kind) = (customer.deadline, customer.id.kind());
        customer.fired = at;
        self.advance(slot, at);
        self.stats.deadlines += 1;
        match kind {
            EntityKind::Author => return self.fall_silent(slot),
            EntityKind::Exception => return self.exception_leaves(slot),
            _ => {}
        }
        self.call_detectors(slot, outputs);
        self.look(slot, Brought::Time, false, outputs);
        self.find_deadline(slot);
    }

    /// The look that waited for the clock.
    fn look_now(&mut self, slot: Slot, outputs: &mut Vec<Output>) {
        self.call_detectors(slot, outputs);
        let waiting = self.customers[slot].rare.as_mut().and_then(|rare| rare.waiting.take());
        match &waiting {
            Some(waiting) => self.look(slot, Brought::Origin(&waiting.origin), waiting.refund, outputs),
            None => self.look(slot, Brought::Time, false, outputs),
        }
        self.find_deadline(slot);
    }

    /// Queues a customer's deadline, unless it stands in the queue at or before it already.
    fn requeue(&mut self, slot: Slot) {
        let customer = &mut self.customers[slot];
        if customer.deadline < customer.queued {
            customer.queued = customer.deadline;
            let deadlines = match customer.id.kind() {
                EntityKind::Account => &mut self.account_deadlines,
                _ => &mut self.deadlines,
            };
            deadlines.push(customer.deadline, slot);
        }
    }

    fn look(&mut self, slot: Slot, cause: Brought<'_>, refund: bool, outputs: &mut Vec<Output>) {
        self.say_first(slot);
        let (customers, occasion) = self.customers_and_occasion(cause);
        let customer = &mut customers[slot];
        customer.look_pending = false;
        look::look(customer, &Occasion { refund, ..occasion }, outputs);
        self.note_unsaid(slot);
        self.count_member(slot);
        self.tell_contacts(slot, cause, outputs);
    }

    /// Takes one record, whose customer has been met: a dead letter goes straight out.
    fn take(&mut self, record: &Record, slot: Option<Slot>, outputs: &mut Vec<Output>) {
        let event = match &record.body {
            Ok(event) => event,
            Err(dead_letter) => {
                self.stats.dead_letters += 1;
                outputs.push(Output::DeadLetter(record.position, dead_letter.clone()));
                return;
            }
        };
        self.stats.events += 1;
        self.stats.unknown_values += u64::from(event.unknown_values);
        if let Body::FxRate(rate) = &event.body {
            return self.take_rate(rate, event, record.position, outputs);
        }
        let Some(slot) = slot else {
            if event.kind().has_customer() {
                self.pass_over(event);
            } else {
                let has_room = self.agents.take(&event.body);
                self.stats.forgotten.add(Forgotten::Agent, usize::from(!has_room));
                self.note_agents();
            }
            return;
        };
        self.stats.late += u64::from(event.at < self.due());
        self.take_event(slot, (event, record.position), None, event.at, 0, outputs);
    }

    /// Takes an event into an entity, whose time moves to `now`; one that was brought comes `from` another.
    fn take_event(
        &mut self,
        slot: Slot,
        (event, position): (&Event, Position),
        from: Option<&CustomerId>,
        now: EventTime,
        hops: u8,
        outputs: &mut Vec<Output>,
    ) {
        self.catch_up(slot, now, outputs);
        let rules = Arc::clone(&self.rules);
        self.advance(slot, now);
        let counted = self.counted(slot);
        if let Body::Erasure(_) = event.body {
            return self.erase(slot, event, position, outputs);
        }
        self.call_detectors(slot, outputs);
        let customer = &mut self.customers[slot];
        self.merges |= matches!(&event.body, Body::Customer(profile) if profile.merged_into.is_some());
        customer.news |= event.kind().bit();
        // What a contact did was counted there.
        let mut aside = Stats::default();
        let is_account = customer.id.kind() == EntityKind::Account;
        let stats = if is_account { &mut aside } else { &mut self.stats };
        let prices = Prices { rules: &rules, rates: &self.rates };
        let sendings = &mut self.sendings;
        let mut foreign = Vec::new();
        let recalled = customer.recall_of(event, &rules);
        let is_known = pivots::is_known(customer, event, &rules);
        let arrival = Arrival { event, position, from, rules: &rules, prices, stats, sendings, foreign: &mut foreign };
        let (outcome, said) = (arrival.apply(customer), customer.seq);
        customer.roll_up((event, position), recalled, &rules, &mut self.sendings);
        customer.hand_on(&rules, &mut self.sendings);
        let is_leaving = customer.is_leaving();
        self.note_foreign(slot, foreign);
        self.recount(slot, counted);
        self.note_unsaid(slot);
        if !event.kind().is_activity() {
            self.count_member(slot);
        }
        if outcome.look {
            self.observe(slot, (event, position), is_known, outputs);
        }
        // A late visit, or the end of a merge, may leave a timer that is past already.
        self.call_detectors(slot, outputs);
        if let Some(refusal) = outcome.refused {
            self.refuse(slot, (event, position), refusal, outputs);
        }
        if matches!(event.body, Body::Customer(_)) || self.customers[slot].merged_into().is_some() {
            self.note_holding(slot);
        }
        if is_leaving {
            self.leave(slot, Brought::Event(event, position), "merged", outputs);
            self.describe(slot, Brought::Event(event, position), outputs);
        }
        if !self.sendings.is_empty() {
            self.send(slot, Some(&Origin::of(event, position)), hops, outputs);
        }
        let customer = &self.customers[slot];
        let touches = customer.look_again || self.rules.plan.touches(customer.id.kind(), event.kind());
        let judged = Outcome { look: outcome.look && touches, ..outcome };
        self.judge(slot, Brought::Event(event, position), judged, outputs);
        if outcome.described && self.customers[slot].seq == said {
            self.describe(slot, Brought::Event(event, position), outputs);
        }
        if outcome.alert && !is_account {
            self.alert(slot, event, position, outputs);
        }
        if outcome.look && self.rules.exceptions.is_some() {
            self.report_exception(slot, (event, position), outcome.alert, hops, outputs);
        }
    }

    /// Says a customer's standing again, since the profile that it quotes is another. Like an alert, it waits for no clock.
    fn describe(&mut self, slot: Slot, cause: Brought<'_>, outputs: &mut Vec<Output>) {
        let (customers, occasion) = self.customers_and_occasion(cause);
        status::say(&customers[slot], &occasion, outputs);
    }

    /// What surrounds something that no refund caused, and everybody to whom it may happen.
    fn customers_and_occasion<'a>(&'a mut self, cause: Brought<'a>) -> (&'a mut Customers, Occasion<'a>) {
        let Self { app, rules, agents, rates, settlement, errors, customers, .. } = self;
        (customers, Occasion { app, rules, agents, rates, cuts: &settlement.cuts, cause, refund: false, errors })
    }

    /// Looks after something has changed, at once or when the clock reaches it, and queues what time will bring.
    fn judge(&mut self, slot: Slot, brought: Brought<'_>, outcome: Outcome, outputs: &mut Vec<Output>) {
        let customer = &mut self.customers[slot];
        // Of an author nothing is decided; a day later nothing that was said by now is remembered.
        if customer.id.kind() == EntityKind::Author {
            customer.deadline = customer.as_of.plus(DEDUP);
            return self.requeue(slot);
        }
        // Nor of whoever is merged into another: there it is.
        if customer.merged_into().is_some() {
            return;
        }
        if customer.as_of > self.clock {
            // Time has moved past the clock: what it brought, a deadline passed over included, waits for the clock. A
            // look that waits already waits longer, whatever moved time.
            let passed = customer.deadline.min(customer.next_of_pivots()) <= customer.as_of;
            if outcome.look || customer.look_pending || passed {
                customer.wait(outcome.look.then(|| brought.origin()).flatten(), outcome.refund);
                self.looks.push(customer.as_of, slot);
            }
        } else if outcome.look {
            self.look(slot, brought, outcome.refund, outputs);
        }
        self.find_deadline(slot);
        self.requeue(slot);
    }

    /// Fires the customer's own deadlines before an event of its: up to the event's time, never beyond the clock.
    fn catch_up(&mut self, slot: Slot, at: EventTime, outputs: &mut Vec<Output>) {
        if self.settlement.recalling.is_some() {
            self.recall_held(slot);
        }
        let customer = &self.customers[slot];
        self.stats.reordered += u64::from(at < customer.fired);
        if customer.look_pending && customer.as_of <= self.clock {
            self.look_now(slot, outputs);
        }
        // In `event`, what an effect meets does not depend on how far the clock has come beyond it.
        let due = if self.mode == TimeMode::Event { self.now } else { self.due() };
        let limit = due.max(at.min(self.clock));
        while !self.customers[slot].look_pending && self.customers[slot].deadline <= limit {
            self.fire(slot, outputs);
        }
    }

    fn alert(&mut self, slot: Slot, event: &Event, position: Position, outputs: &mut Vec<Output>) {
        let rules = Arc::clone(&self.rules);
        let now = if self.mode == TimeMode::Live { self.wall } else { EventTime::MIN };
        for index in &rules.plan.of(event.kind()).alerts {
            let rule = &rules.alerts[usize::from(*index)];
            let (customers, occasion) = self.customers_and_occasion(Brought::Event(event, position));
            let customer = &mut customers[slot];
            if customer.has_alerted(*index, rule, event, &rules) {
                continue;
            }
            let known = event.customer.is_some().then_some(&*customer);
            let raised = Raised::Event(event, position);
            let Some(alert) = alert::alert(usize::from(*index), rule, known, raised, &occasion) else { continue };
            if alert.expires_at.is_some_and(|end| end < now) {
                self.stats.stale_alerts += 1;
                continue;
            }
            customer.note_alerted(*index, rule, event, &rules);
            customer.note_complaint(&alert);
            outputs.push(Output::Alert(Box::new(alert)));
        }
    }
}

#[cfg(test)]
mod tests;
