//! Everybody's state while records and time pass.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rust_decimal::Decimal;

use vipstream::model::event::{Body, Event, FxRate, Kind};
use vipstream::model::murmur2;
use vipstream::model::record::{Code, Position};
use vipstream::model::time::EventTime;

use super::budget::Ruling;
use super::customer::{Customer, Entity, Waiting};
use super::effects::{Does, Effect, MAX_HOPS, Sending, name_handles};
use super::lines::Line;
use super::look::{self, Cause, Looking, Mode, Run};
use super::memory::{Object, Outcome};
use super::money::Rates;
use super::overrides;
use super::routing::Resolution;
use super::seats::Rulings;
use super::settling::Settling;
use super::status;

/// A record that could be read, or why it could not.
pub(super) struct Record {
    pub(super) merge_time: EventTime,
    pub(super) position: Position,
    pub(super) body: Result<Event, Code>,
}

/// What came out, in order.
#[derive(Default)]
pub(super) struct Found {
    pub(super) events: Vec<Line>,
    pub(super) alerts: Vec<Line>,
    pub(super) statuses: Vec<Line>,
    pub(super) audits: Vec<Line>,
    pub(super) insights: Vec<Line>,
    pub(super) pivots: Vec<Line>,
    pub(super) refused: Vec<(Position, Code)>,
    /// What is done to entities at home with another task.
    pub(super) passed: Vec<(u32, Effect)>,
}

/// What is counted and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events before `due`.
    pub late: u64,
    /// Alerts past their `expires_at`.
    pub stale_alerts: u64,
    /// Customers erased.
    pub erasures: u64,
    /// Events about customers erased before.
    pub erased_events: u64,
}

impl Found {
    /// Pivots, and alerts on them.
    fn tell(&mut self, lines: Vec<Line>) {
        let (alerts, pivots): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.order.3 == "agent.alert");
        self.alerts.extend(alerts);
        self.pivots.extend(pivots);
    }
}

pub(super) struct Walk {
    pub(super) run: Run,
    pub(super) found: Found,
    pub(super) counts: Counts,
    /// How far event time has certainly come.
    clock: EventTime,
    pub(super) customers: BTreeMap<Entity, Customer>,
    /// Who was erased, and is nobody from then on.
    erased: BTreeSet<Entity>,
    /// Each customer's next instant at which time alone may change a decision.
    deadlines: Agenda,
    /// Whose look waits for which clock.
    waiting: Agenda,
    /// What is still to be in force, in its order.
    effects: BTreeMap<(EventTime, Entity, Entity, u32), Effect>,
    /// What is not to wait.
    arrivals: VecDeque<Effect>,
    /// The instant at hand.
    now: EventTime,
    /// Which task this is, of how many.
    pub(super) home: (u32, u32),
    pub(super) settling: Settling,
}

/// Who is to be looked at when: at most one instant each.
#[derive(Default)]
struct Agenda {
    instants: BTreeMap<Entity, EventTime>,
    order: BTreeSet<(EventTime, Entity)>,
}

impl Agenda {
    fn set(&mut self, entity: &Entity, next: Option<EventTime>) {
        if let Some(former) = self.instants.remove(entity) {
            self.order.remove(&(former, entity.clone()));
        }
        if let Some(next) = next {
            self.instants.insert(entity.clone(), next);
            self.order.insert((next, entity.clone()));
        }
    }

    /// The first of those up to and including `due`.
    fn first(&self, due: EventTime) -> Option<(EventTime, Entity)> {
        self.order.first().filter(|(at, _)| *at <= due).cloned()
    }

    fn of(&self, entity: &Entity) -> Option<EventTime> {
        self.instants.get(entity).copied()
    }
}

impl Walk {
    pub(super) fn new(mut run: Run, home: (u32, u32)) -> Self {
        if run.mode == Mode::Event {
            run.rules.lateness = Duration::ZERO;
        }
        Self {
            run,
            home,
            found: Found::default(),
            counts: Counts::default(),
            clock: EventTime::MIN,
            customers: BTreeMap::new(),
            erased: BTreeSet::new(),
            deadlines: Agenda::default(),
            waiting: Agenda::default(),
            effects: BTreeMap::new(),
            arrivals: VecDeque::new(),
            now: EventTime::MIN,
            settling: Settling::default(),
        }
    }

    /// One epoch: what came from other tasks, its records by (merge time, position), then time up to its clock.
    pub(super) fn epoch(&mut self, effects: Vec<Effect>, mut records: Vec<Record>, clock: EventTime, wall: EventTime) {
        self.run.wall = self.run.wall.max(wall);
        for effect in effects {
            self.await_effect(effect);
            self.arrive();
        }
        records.sort_by_key(|record| (record.merge_time, record.position));
        for record in &records {
            self.pass(match self.run.mode {
                // A partition may be behind: others' records then lie beyond the clock.
                Mode::Live => record.merge_time.min(clock).min(self.run.wall),
                Mode::Event => record.merge_time,
            });
            self.now = self.clock;
            match &record.body {
                Ok(event) => self.take(event, record.position),
                Err(code) => self.found.refused.push((record.position, *code)),
            }
            self.arrive();
        }
        self.pass(clock);
        self.tell_reached();
        self.arrive();
    }

    /// Time passes: looks that waited for the clock, deadlines up to `due`, and what comes into force; each instant in
    /// its turn, deadlines first.
    fn pass(&mut self, to: EventTime) {
        self.clock = self.clock.max(to);
        loop {
            self.arrive();
            let effect = self.effects.keys().next().map(|(at, ..)| *at).filter(|at| *at <= self.clock);
            let limit = effect.map_or(self.due(), |effect| effect.min(self.due()));
            // A customer's next deadline lies after the time for which their look waits.
            if let Some((_, entity)) = self.waiting.first(self.clock) {
                self.look_after_waiting(&entity);
                continue;
            }
            let deadline = self.deadlines.first(limit);
            let happens = deadline.as_ref().map(|(instant, _)| *instant).or(effect);
            // Everybody is asked once all of an instant has happened.
            let settlement = self.next_settlement().filter(|at| *at <= self.due());
            if let Some(at) = settlement.filter(|at| happens.is_none_or(|instant| *at < instant)) {
                self.settle(at);
                continue;
            }
            let until = happens.map_or(self.due(), |instant| EventTime(instant.0 - 1).min(self.due()));
            self.settling.own.pass(self.run.rules.settle, until);
            if let Some((instant, entity)) = deadline {
                self.now = self.now.max(instant);
                self.fire(&entity, instant);
            } else if effect.is_some() {
                let (_, effect) = self.effects.pop_first().expect("it is there");
                self.now = self.now.max(effect.at);
                self.undergo(effect);
            } else {
                return;
            }
        }
    }

    /// An entity does something to others.
    fn send(&mut self, from: &Entity, sendings: Vec<Sending>, cause: Cause<'_>, hops: u32) {
        for (to, does) in sendings {
            let origin = match &does {
                Does::Bring(event, position) => Some(((**event).clone(), *position)),
                _ => cause.map(|(event, position)| (event.clone(), position)),
            };
            if hops >= MAX_HOPS && to != Entity::Everybody {
                if let Does::Absorb(known) = does {
                    let sender = self.customers.get_mut(from).expect("somebody sends");
                    let follows = sender.hold(&self.run.rules, *known);
                    let as_of = sender.as_of;
                    sender.move_to(as_of);
                    self.send(from, follows, cause, 0);
                    continue;
                }
                self.found.refused.extend(origin.map(|(_, position)| (position, Code::TooManyHops)));
                continue;
            }
            let sender = self.customers.get_mut(from).expect("somebody sends");
            sender.ties.sent += 1;
            let since = if self.run.mode == Mode::Live { sender.as_of } else { sender.as_of.max(self.now) };
            let at = since.plus(self.run.rules.hop);
            let number = sender.ties.sent;
            let effect = Effect { to, from: from.clone(), number, at, hops: hops + 1, origin, does };
            self.deliver(&effect);
        }
    }

    /// To the task where the target is at home; what every task keeps, to each.
    pub(super) fn deliver(&mut self, effect: &Effect) {
        let (here, tasks) = self.home;
        let homes = match effect.to {
            Entity::Everybody => (0..tasks).collect(),
            _ => vec![murmur2::home(effect.to.key().as_bytes(), tasks)],
        };
        for home in homes {
            if home == here {
                self.await_effect(effect.clone());
            } else {
                self.found.passed.push((home, effect.clone()));
            }
        }
    }

    fn await_effect(&mut self, effect: Effect) {
        if let Does::Cuts(settled_at, values) = effect.does {
            // In force later, it is asked for by time.
            return self.run.rules.cuts.take(effect.at, settled_at, values);
        }
        if let Does::Shifts(settled_at, turns) = &effect.does {
            self.run.rules.shifts.take(effect.at, *settled_at, turns);
            return self.await_releases();
        }
        // What is brought is known at once where time is lived; and who waits for all tasks need not wait otherwise.
        let waits_not = matches!(effect.does, Does::Bring(..) | Does::Report(_) | Does::Reached(_));
        if self.run.mode == Mode::Live && waits_not {
            self.arrivals.push_back(effect);
        } else {
            // Of two of one number the one that came first is first.
            let mut place = effect.place();
            while self.effects.contains_key(&place) {
                place.3 += 1;
            }
            self.effects.insert(place, effect);
        }
    }

    /// Whoever's pivots wait learns until when.
    fn await_releases(&mut self) {
        let holding = self.customers.iter().filter(|(_, customer)| !customer.held_back.is_empty());
        for entity in holding.map(|(entity, _)| entity.clone()).collect::<Vec<_>>() {
            let customer = self.customers.get_mut(&entity).expect("it holds some");
            if customer.next_release(&self.run.rules).is_some_and(|release| release <= customer.as_of) {
                customer.waiting.get_or_insert_default();
            }
            self.queue(&entity);
        }
    }

    /// Takes what is not to wait.
    fn arrive(&mut self) {
        while let Some(effect) = self.arrivals.pop_front() {
            self.undergo(effect);
        }
    }

    /// Something is done to an entity.
    fn undergo(&mut self, effect: Effect) {
        self.settling.own.stir();
        if self.erased.contains(&effect.to) {
            return self.pass_over(effect);
        }
        let Effect { to, from, at, hops, origin, does, .. } = effect;
        if let Entity::Settler(_) = to {
            return self.hear_task(from, does);
        }
        if let Does::Resolved { agent, on, cases, well } = does {
            let told = self.run.rules.calendar.date(at);
            return self.run.agents.count(Resolution { agent, on, cases, well, told });
        }
        let cause = origin.as_ref().map(|(event, position)| (event, *position));
        if let Does::Bring(event, position) = does {
            return self.take_event(&to, (&event, position), Some(&from), at, hops);
        }
        self.catch_up(&to, at);
        let customer = self.customers.get_mut(&to).expect("met just now");
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        if let Does::Except(case, told) = does {
            let line = customer.count_exception(&self.run, from, (case, told), cause);
            self.found.insights.extend(line);
            return self.await_exit(&to);
        }
        let rules = &self.run.rules;
        let mut outcome = Outcome::default();
        let mut told = None;
        let sendings = match does {
            Does::Verdict(ruling) => {
                outcome.look = customer.stands_as(rules, &ruling);
                told = Some(ruling).filter(|_| outcome.look);
                Vec::new()
            }
            Does::Bring(..) | Does::Resolved { .. } | Does::Except(..) => unreachable!("taken above"),
            Does::Report(_) | Does::Reached(_) | Does::Cuts(..) | Does::Shifts(..) => {
                unreachable!("taken above")
            }
            Does::Claim => customer.claimed(&from, Some(at)),
            Does::Release => customer.claimed(&from, None),
            Does::Refer(told, at, status) => {
                let mut sendings = customer.hear_of_referral(rules, &told, Some((at, status)));
                sendings.extend(customer.merged_into().map(|to| (to, Does::Refer(told, at, status))));
                sendings
            }
            Does::Unrefer(told) => {
                let mut sendings = customer.hear_of_referral(rules, std::slice::from_ref(&told), None);
                sendings.extend(customer.merged_into().map(|to| (to, Does::Unrefer(told))));
                sendings
            }
            Does::Credit(..) | Does::Uncredit(..) if customer.merged_into().is_some() => {
                vec![(customer.merged_into().expect("it is there"), does)]
            }
            Does::Credit(buyer, orders, instead, refund) => {
                customer.uncredit(&instead);
                customer.credit(rules, &buyer, orders);
                outcome = Outcome { look: true, refund, ..outcome };
                Vec::new()
            }
            Does::Uncredit(orders) => {
                customer.uncredit(&orders);
                outcome.look = true;
                Vec::new()
            }
            Does::Forgotten(who) => {
                customer.ties.referrals.forget(&who);
                customer.merged_into().map(|to| (to, Does::Forgotten(who))).into_iter().collect()
            }
            Does::Absorb(known) => {
                let (sendings, look) = customer.absorb(rules, from, *known);
                outcome.look = look;
                sendings
            }
            Does::Part(who, names) => {
                let mut sendings = customer.part(rules, &who, names.clone());
                sendings.extend(customer.merged_into().map(|to| (to, Does::Part(who, names))));
                sendings.extend(customer.hand_on(rules));
                sendings
            }
            Does::Join => vec![customer.joined(&from)],
            Does::Leave => customer.left(&from),
            Does::Account(summary) => {
                outcome.look = customer.hear(&from, summary);
                Vec::new()
            }
            Does::RollUp(share) => {
                outcome.look = customer.take_share(rules, *share);
                Vec::new()
            }
            Does::Cut => {
                let before = customer.belongs_to();
                outcome.look = customer.cut(&from);
                outcome.described = outcome.look;
                customer.change_account(rules, before)
            }
        };
        // What was counted before is not what counts now.
        customer.move_to(customer.as_of);
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        self.send(&to, sendings, cause, hops);
        self.judge_undergone(&to, cause, outcome, told);
    }

    /// Something was done to an entity: what comes of it.
    fn judge_undergone(&mut self, to: &Entity, cause: Cause<'_>, outcome: Outcome, told: Option<Ruling>) {
        let decided = self.customers[to].status_seq;
        self.judge(to, cause, outcome, told);
        let customer = &self.customers[to];
        if outcome.described && customer.status_seq == decided {
            self.found.statuses.extend(status::status(&self.run, customer, cause));
        }
        self.queue(to);
    }

    /// Something is done to somebody who was erased.
    fn pass_over(&mut self, effect: Effect) {
        self.counts.erased_events += 1;
        let Effect { to: from, from: to, at, hops, origin, does, .. } = effect;
        let answer = match does {
            // Whoever would be somebody erased stays somebody else.
            Does::Absorb(_) => Some((Does::Cut, hops)),
            Does::Refer(..) => Some((Does::Forgotten(from.clone()), hops + 1)),
            _ => None,
        };
        if let Some((does, hops)) = answer {
            let is_at_hand = self.run.mode == Mode::Event && !matches!(does, Does::Cut);
            let at = if is_at_hand { at.max(self.now) } else { at };
            let at = at.plus(self.run.rules.hop);
            let answer = Effect { to, from, number: 0, at, hops, origin, does };
            self.deliver(&answer);
        }
    }

    /// Whatever an entity's time brings up to an instant comes first; then its time is there.
    fn catch_up(&mut self, entity: &Entity, to: EventTime) {
        // In event time the clock may be beyond an effect: that changes nothing.
        let due = if self.run.mode == Mode::Live { self.due() } else { self.now };
        let limit = due.max(to.min(self.clock));
        while let Some(instant) = self.deadlines.of(entity).filter(|deadline| *deadline <= limit) {
            self.fire(entity, instant);
        }
        let customer = self.customers.entry(entity.clone()).or_insert_with(|| Customer::new(entity.clone()));
        customer.move_to(customer.as_of.max(to));
    }

    pub(super) fn due(&self) -> EventTime {
        self.clock.minus(self.lateness())
    }

    /// How long deadlines wait behind the clock.
    pub(super) fn lateness(&self) -> Duration {
        self.run.rules.lateness
    }

    fn fire(&mut self, entity: &Entity, instant: EventTime) {
        self.settling.own.stir();
        let customer = self.customers.get_mut(entity).expect("a deadline is somebody's");
        assert!(customer.waiting.is_none(), "a deadline comes after the look that waits");
        customer.move_to(instant);
        if entity.is_author() {
            // A day after the last word nothing is known any more but whose handle it is.
            self.deadlines.set(entity, None);
            if customer.ties.owner().is_none() {
                self.customers.remove(entity);
            }
            return;
        }
        if matches!(entity, Entity::Exception(_)) {
            customer.drop_exceptions(&self.run.rules);
            return self.await_exit(entity);
        }
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        self.look(entity, &Looking { cause: None, refund: false, rulings: &Rulings::new() });
        self.queue(entity);
    }

    /// A kind of exception without cases is forgotten.
    fn await_exit(&mut self, kind: &Entity) {
        if self.customers[kind].has_exceptions() {
            return self.queue(kind);
        }
        self.customers.remove(kind);
        self.deadlines.set(kind, None);
    }

    fn look_after_waiting(&mut self, entity: &Entity) {
        self.settling.own.stir();
        let customer = self.customers.get_mut(entity).expect("a look is somebody's");
        let Waiting { event, refund, rulings } = customer.waiting.take().expect("a look waits");
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        let cause = event.as_ref().map(|(event, position)| (event, *position));
        self.look(entity, &Looking { cause, refund, rulings: &rulings });
        self.queue(entity);
    }

    /// A look, after which an account tells its contacts what has become of it.
    fn look(&mut self, entity: &Entity, looking: &Looking<'_>) {
        let customer = self.customers.get_mut(entity).expect("somebody is looked at");
        look::look(&self.run, customer, looking, &mut self.found);
        let sendings = customer.tell(&self.run.rules);
        self.send(entity, sendings, looking.cause, 0);
    }

    fn take(&mut self, event: &Event, position: Position) {
        self.settling.own.stir();
        if let Body::FxRate(rate) = &event.body {
            return self.take_rate(rate, event, position);
        }
        self.run.agents.take(event);
        let Some(entity) = Entity::of(event) else { return };
        if event.kind() == Kind::Account && !self.run.rules.uses_accounts() {
            return;
        }
        if self.erased.contains(&entity) {
            // To be erased once more is no event about somebody.
            self.counts.erased_events += u64::from(event.kind() != Kind::Erasure);
            return;
        }
        self.counts.late += u64::from(event.at < self.due());
        self.take_event(&entity, (event, position), None, event.at, 0);
    }

    /// What became of orders that are remembered no longer stays so.
    fn forget_orders(&mut self, entity: &Entity) {
        let rules = &self.run.rules;
        let customer = self.customers.get_mut(entity).expect("met before");
        let as_of = customer.as_of;
        let orders = customer.memory.objects.iter_mut().filter(|it| it.kind == Kind::Purchase);
        for order in orders.filter(|it| !rules.remembers(it.kind, it.place, as_of)) {
            order.forgotten = Some(order.is_wholly_taken_back(rules));
        }
    }

    /// A rate comes: whoever remembers an amount on a date whose rate it changes is looked at.
    fn take_rate(&mut self, rate: &FxRate, event: &Event, position: Position) {
        let before = self.run.rules.rates.clone();
        let concerns = |walk: &mut Self, object: &Object, old: Rates| {
            let codes = [rate.base.0.as_str(), rate.quote.0.as_str()];
            let own = walk.run.rules.currency.clone();
            codes.into_iter().filter(|code| *code != own && object.is_in(code)).any(|code| {
                let new = walk.run.rules.price(Decimal::ONE, code, object.place);
                let now = std::mem::replace(&mut walk.run.rules.rates, old.clone());
                let was = walk.run.rules.price(Decimal::ONE, code, object.place);
                walk.run.rules.rates = now;
                new != was
            })
        };
        self.run.rules.rates.note(rate);
        let after = self.run.rules.rates.clone();
        let everybody: Vec<Entity> = self.customers.keys().cloned().collect();
        let concerned: Vec<Entity> = everybody
            .into_iter()
            .filter(|entity| {
                let customer = self.customers[entity].clone();
                let mut objects = customer.memory.objects.iter();
                objects.any(|object| {
                    let is_known = self.run.rules.remembers(object.kind, object.place, customer.as_of);
                    is_known && concerns(self, object, before.clone())
                })
            })
            .collect();
        self.run.rules.rates = before.clone();
        for entity in self.customers.keys().cloned().collect::<Vec<_>>() {
            self.forget_orders(&entity);
        }
        self.run.rules.rates = after.clone();
        for entity in concerned {
            // Until it is their turn, everybody's amounts are worth what they were.
            self.run.rules.rates = before.clone();
            self.catch_up(&entity, event.at);
            self.forget_orders(&entity);
            self.run.rules.rates = after.clone();
            let customer = self.customers.get_mut(&entity).expect("concerned");
            self.found.tell(customer.call_detectors(&self.run, self.clock));
            self.judge(&entity, Some((event, position)), Outcome { look: true, ..Outcome::default() }, None);
            self.queue(&entity);
        }
    }

    /// An event comes to an entity, whose time moves to `now`.
    fn take_event(
        &mut self,
        entity: &Entity,
        (event, position): (&Event, Position),
        from: Option<&Entity>,
        now: EventTime,
        hops: u32,
    ) {
        self.catch_up(entity, now);
        let cause = Some((event, position));
        let customer = self.customers.get_mut(entity).expect("met just now");
        if event.kind() == Kind::Erasure {
            self.found.events.extend(look::leave(&self.run, customer, "erased", cause));
            self.found.statuses.extend(status::withdrawn(customer));
            let account = customer.belongs_to();
            let mut sendings = name_handles(customer.profile.as_ref(), None);
            sendings.extend(customer.ties.referrals.cut(&customer.entity));
            sendings.extend(customer.end_merges());
            customer.profile = None;
            sendings.extend(customer.change_account(&self.run.rules, account));
            self.send(entity, sendings, cause, hops);
            return self.forget(entity.clone());
        }
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        if let Some(sending) = customer.pass_on(event, position).or_else(|| customer.follow(event, position)) {
            let sendings = [sending].into_iter().chain(customer.hand_on(&self.run.rules)).collect();
            self.send(entity, sendings, cause, hops);
            return self.queue(entity);
        }
        let (before, account) = (customer.profile.clone(), customer.belongs_to());
        let recalled = customer.recall_of(&self.run.rules, event);
        let was_known = customer.knows_object(&self.run.rules, event);
        let outcome = customer.take(&self.run.rules, (event, position), from);
        customer.look_again |= outcome.expired;
        customer.move_to(customer.as_of);
        self.found.tell(customer.observe(&self.run, cause, outcome, was_known));
        self.found.tell(customer.call_detectors(&self.run, self.clock));
        let decided = customer.status_seq;
        let refused = outcome.refused.map(|why| overrides::refusal(&self.run, customer, cause, why));
        self.found.audits.extend(refused);
        let mut sendings = name_handles(before.as_ref(), customer.profile.as_ref());
        let former = before.and_then(|profile| profile.merged_into);
        let turns = customer.merged_into() != former.as_deref().map(Entity::customer);
        if turns {
            sendings.extend(customer.turn_from(&self.run.rules, former.as_deref().map(Entity::customer)));
        }
        sendings.extend(customer.change_account(&self.run.rules, account));
        if turns && customer.merged_into().is_some() {
            let lines = look::leave(&self.run, customer, "merged", cause);
            let status = if lines.is_empty() { None } else { status::status(&self.run, customer, cause) };
            self.found.events.extend(lines);
            self.found.statuses.extend(status);
        }
        sendings.extend(customer.learn_resolved(&self.run.rules, event));
        sendings.extend(customer.refer(&self.run.rules, event, outcome));
        sendings.extend(customer.tell_referrer(&self.run.rules, event, outcome));
        sendings.extend(customer.roll_up(&self.run.rules, (event, position), recalled));
        sendings.extend(customer.hand_on(&self.run.rules));
        if entity.is_author() && outcome.look {
            customer.keep_unclaimed(event, position);
        }
        self.send(entity, sendings, cause, hops);
        let customer = &self.customers[entity];
        let touches = customer.look_again || self.run.rules.touches(event.kind(), entity.is_account());
        if !entity.is_author() {
            // Where it touches no fact, a look finds nothing.
            let looks_now = customer.as_of <= self.clock;
            self.judge(entity, cause, Outcome { look: outcome.look && (touches || looks_now), ..outcome }, None);
        }
        let customer = &self.customers[entity];
        if outcome.described && customer.status_seq == decided {
            self.found.statuses.extend(status::status(&self.run, customer, Some((event, position))));
        }
        if outcome.alerts && !entity.is_account() {
            let customer = self.customers.get_mut(entity).expect("met just now");
            let (lines, stale) = look::alert(&self.run, customer, event, position);
            self.found.alerts.extend(lines);
            self.counts.stale_alerts += stale;
        }
        let customer = self.customers.get_mut(entity).expect("met just now");
        let sendings = customer.tell_exception(&self.run.rules, (event, position), outcome);
        self.send(entity, sendings, cause, hops);
        self.queue(entity);
    }

    /// A look, at once or when the clock comes to the entity's time.
    fn judge(&mut self, entity: &Entity, cause: Cause<'_>, outcome: Outcome, told: Option<Ruling>) {
        let told = told.map(|ruling| (self.run.rules.programmes[ruling.programme].name.clone(), ruling));
        let customer = self.customers.get_mut(entity).expect("met just now");
        if customer.merged_into().is_some() {
            return;
        }
        let pivots = customer.next_pivot().into_iter().chain(customer.next_release(&self.run.rules)).min();
        let deadline = self.deadlines.of(entity).into_iter().chain(pivots).min();
        let passed_a_deadline = deadline.is_some_and(|deadline| deadline <= customer.as_of);
        if customer.as_of > self.clock && (outcome.look || passed_a_deadline) {
            let former = customer.waiting.take().unwrap_or_default();
            let event = cause.map(|(event, position)| (event.clone(), position));
            customer.waiting = Some(Waiting {
                event: event.filter(|_| outcome.look).or(former.event),
                refund: former.refund || (outcome.look && outcome.refund),
                // Of two the newer holds.
                rulings: former.rulings.into_iter().chain(told).collect(),
            });
        } else if outcome.look && customer.as_of <= self.clock {
            let rulings = told.into_iter().collect();
            self.look(entity, &Looking { cause, refund: outcome.refund, rulings: &rulings });
        }
    }

    /// Nothing of the customer is left, and nothing will be known of them again.
    fn forget(&mut self, entity: Entity) {
        self.customers.remove(&entity);
        self.deadlines.set(&entity, None);
        self.waiting.set(&entity, None);
        self.erased.insert(entity);
        self.counts.erasures += 1;
    }

    /// Works out anew what the entity waits for.
    fn queue(&mut self, entity: &Entity) {
        let customer = &self.customers[entity];
        self.deadlines.set(entity, customer.next_deadline(&self.run.rules));
        self.waiting.set(entity, customer.waiting.as_ref().map(|_| customer.as_of));
    }
}
