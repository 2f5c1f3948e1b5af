//! Everybody's state while records and time pass.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vipstream::model::event::{Event, Kind};
use vipstream::model::record::{Code, Position};
use vipstream::model::time::EventTime;

use super::customer::{Customer, Entity, Waiting};
use super::lines::Line;
use super::look::{self, Mode, Run};
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
    pub(super) refused: Vec<(Position, Code)>,
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

pub(super) struct Walk {
    pub(super) run: Run,
    pub(super) found: Found,
    pub(super) counts: Counts,
    /// How far event time has certainly come.
    clock: EventTime,
    customers: BTreeMap<Entity, Customer>,
    /// Who was erased, and is nobody from then on.
    erased: BTreeSet<Entity>,
    /// Each customer's next instant at which time alone may change a decision.
    deadlines: Agenda,
    /// Whose look waits for which clock.
    waiting: Agenda,
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
    pub(super) fn new(run: Run) -> Self {
        Self {
            run,
            found: Found::default(),
            counts: Counts::default(),
            clock: EventTime::MIN,
            customers: BTreeMap::new(),
            erased: BTreeSet::new(),
            deadlines: Agenda::default(),
            waiting: Agenda::default(),
        }
    }

    /// One epoch: its records by (merge time, position), then time up to its clock.
    pub(super) fn epoch(&mut self, mut records: Vec<Record>, clock: EventTime, wall: EventTime) {
        self.run.wall = self.run.wall.max(wall);
        records.sort_by_key(|record| (record.merge_time, record.position));
        for record in &records {
            self.pass(match self.run.mode {
                // A partition may be behind: others' records then lie beyond the clock.
                Mode::Live => record.merge_time.min(clock).min(self.run.wall),
                Mode::Event => record.merge_time,
            });
            match &record.body {
                Ok(event) => self.take(event, record.position),
                Err(code) => self.found.refused.push((record.position, *code)),
            }
        }
        self.pass(clock);
    }

    /// Time passes: looks that waited for the clock, and deadlines up to `due`.
    fn pass(&mut self, to: EventTime) {
        self.clock = self.clock.max(to);
        loop {
            // A customer's next deadline lies after the time for which their look waits.
            if let Some((_, entity)) = self.waiting.first(self.clock) {
                self.look_after_waiting(&entity);
            } else if let Some((instant, entity)) = self.deadlines.first(self.due()) {
                self.fire(&entity, instant);
            } else {
                return;
            }
        }
    }

    fn due(&self) -> EventTime {
        let lateness = if self.run.mode == Mode::Live { self.run.rules.lateness } else { Duration::ZERO };
        self.clock.minus(lateness)
    }

    fn fire(&mut self, entity: &Entity, instant: EventTime) {
        let customer = self.customers.get_mut(entity).expect("a deadline is somebody's");
        assert!(customer.waiting.is_none(), "a deadline comes after the look that waits");
        customer.move_to(instant);
        look::look(&self.run, customer, None, false, &mut self.found);
        self.queue(entity);
    }

    fn look_after_waiting(&mut self, entity: &Entity) {
        let customer = self.customers.get_mut(entity).expect("a look is somebody's");
        let Waiting { event, refund } = customer.waiting.take().expect("a look waits");
        let cause = event.as_ref().map(|(event, position)| (event, *position));
        look::look(&self.run, customer, cause, refund, &mut self.found);
        self.queue(entity);
    }

    fn take(&mut self, event: &Event, position: Position) {
        let entity = Entity::of(event);
        if self.erased.contains(&entity) {
            // To be erased once more is no event about somebody.
            self.counts.erased_events += u64::from(event.kind() != Kind::Erasure);
            return;
        }
        self.counts.late += u64::from(event.at < self.due());
        self.customers.entry(entity.clone()).or_insert_with(|| Customer::new(entity.clone()));
        let limit = self.due().max(event.at.min(self.clock));
        while let Some(instant) = self.deadlines.of(&entity).filter(|deadline| *deadline <= limit) {
            self.fire(&entity, instant);
        }
        let customer = self.customers.get_mut(&entity).expect("made above");
        if event.kind() == Kind::Erasure {
            customer.move_to(customer.as_of.max(event.at));
            self.found.events.extend(look::leave(&self.run, customer, (event, position)));
            self.found.statuses.extend(status::withdrawn(customer));
            return self.forget(entity);
        }
        let outcome = customer.take(&self.run.rules, event, position);
        customer.look_again |= outcome.expired;
        let decided = customer.status_seq;
        if customer.entity.customer_id().is_some() {
            let brings = outcome.look && (customer.look_again || self.run.rules.touches(event.kind()));
            let passed_a_deadline = self.deadlines.of(&entity).is_some_and(|deadline| deadline <= customer.as_of);
            if customer.as_of > self.clock && (brings || passed_a_deadline) {
                let former = customer.waiting.take().unwrap_or_default();
                customer.waiting = Some(Waiting {
                    event: if brings { Some((event.clone(), position)) } else { former.event },
                    refund: former.refund || (brings && outcome.refund),
                });
            } else if outcome.look && customer.as_of <= self.clock {
                // Whether it touches a fact or not: where it does not, the look finds nothing.
                look::look(&self.run, customer, Some((event, position)), outcome.refund, &mut self.found);
            }
        }
        if outcome.described && customer.status_seq == decided {
            self.found.statuses.extend(status::status(&self.run, customer, Some((event, position))));
        }
        if outcome.alerts {
            let (lines, stale) = look::alert(&self.run, customer, event, position);
            self.found.alerts.extend(lines);
            self.counts.stale_alerts += stale;
        }
        self.queue(&entity);
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
