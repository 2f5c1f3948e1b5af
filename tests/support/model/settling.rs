//! A task's part in settlements: it says what changed at it; and where the settler is at home, it decides.

use vipstream::model::murmur2;
use vipstream::model::time::EventTime;

use super::budget::{Ruling, Settler};
use super::customer::Entity;
use super::effects::{Does, Effect};
use super::look::Mode;
use super::settlement::{self, Listener, Settlements, Speaker};
use super::walk::Walk;

/// Where a task stands in it.
#[derive(Default)]
pub(super) struct Settling {
    /// What happened at the task.
    pub(super) own: Settlements,
    /// Where a task is alone with all of time: it need not tell anybody.
    settler: Settler,
    /// Decided there, and a hop later to be told to all.
    owed: Option<EventTime>,
    speaker: Speaker,
    listener: Listener,
}

impl Walk {
    /// The next instant at which something is said or decided.
    pub(super) fn next_settlement(&self) -> Option<EventTime> {
        let rules = &self.run.rules;
        if !rules.settles() {
            return None;
        }
        let said = self.settling.own.next(rules);
        let decided = self.settling.listener.next(rules).filter(|_| self.run.mode == Mode::Event);
        said.into_iter().chain(decided.or(self.settling.owed).map(|at| at.plus(rules.hop))).min()
    }

    /// Everything up to an instant has happened.
    pub(super) fn settle(&mut self, at: EventTime) {
        let rules = &self.run.rules;
        if self.settling.own.next(rules) != Some(at) {
            let settled_at = at.minus(rules.hop);
            return match self.settling.owed.take() {
                Some(_) => self.tell_of_all(settled_at, settled_at.plus(rules.settle)),
                None => self.decide(settled_at),
            };
        }
        let is_settlers = self.home.0 == murmur2::home(rules.name.as_bytes(), self.home.1);
        let mut census = settlement::census(rules, &self.run.agents, &self.customers, at);
        census.turned = self.run.turned.take();
        if self.run.mode == Mode::Event && self.home.1 == 1 {
            let Settling { settler, own, listener, .. } = &mut self.settling;
            let in_force = at.plus(rules.settle);
            let rulings = settlement::decide(settler, own, rules, &census, (at, in_force));
            let members = Some(census.members);
            listener.gauge.hear(Entity::Task(self.home.0.to_string()), census.measured, members);
            listener.crowd.hear(at, &census.turned);
            listener.crowd.count(census.active);
            self.settling.owed = Some(at);
            return self.tell(rulings, in_force);
        }
        self.settling.own.settle(rules, at, true, None);
        if !is_settlers {
            census.on_shift.clear();
        }
        for report in self.settling.speaker.reports(at, census) {
            self.tell_settler(at, Does::Report(Box::new(report)));
        }
    }

    /// At an epoch's end: up to when all was said.
    pub(super) fn tell_reached(&mut self) {
        let reached = self.settling.own.settled();
        let is_news = reached > self.settling.speaker.reached;
        if self.run.mode == Mode::Live && self.run.rules.settles() && is_news {
            self.settling.speaker.reached = reached;
            self.tell_settler(reached, Does::Reached(reached));
        }
    }

    fn tell_settler(&mut self, at: EventTime, does: Does) {
        self.settling.speaker.sent += 1;
        let (to, from) = (Entity::Settler(self.run.rules.name.clone()), Entity::Task(self.home.0.to_string()));
        let (number, at) = (self.settling.speaker.sent, at.plus(self.run.rules.hop));
        self.deliver(&Effect { to, from, number, at, hops: 1, origin: None, does });
    }

    /// The settler hears a task.
    pub(super) fn hear_task(&mut self, from: Entity, does: Does) {
        match does {
            Does::Report(report) => self.settling.listener.hear(from, *report),
            Does::Reached(at) => self.settling.listener.hear_reached(from, at),
            other => panic!("the settler hears of {other:?}"),
        }
        while self.run.mode == Mode::Live {
            let next = self.settling.listener.next(&self.run.rules);
            let reached = self.settling.listener.all_reached(self.home.1);
            let Some(at) = next.filter(|at| *at <= reached) else { return };
            self.decide(at);
        }
    }

    fn decide(&mut self, at: EventTime) {
        let in_force = at.plus(self.lateness()).plus(self.run.rules.settle);
        let rulings = self.settling.listener.decide(&self.run.rules, at, in_force);
        self.tell_of_all(at, in_force);
        self.tell(rulings, in_force);
    }

    /// What is decided of all together: everybody hears of it, or whoever owns the rules.
    fn tell_of_all(&mut self, settled_at: EventTime, in_force: EventTime) {
        let Listener { gauge, crowd, decided, .. } = &mut self.settling.listener;
        self.found.insights.extend(gauge.exceeds(&self.run, settled_at));
        let values = gauge.news(&self.run.rules);
        let (turns, lines, wake) = crowd.decide(&self.run, (settled_at, in_force));
        let is_alone = self.run.mode == Mode::Event && self.home.1 == 1;
        if is_alone {
            self.settling.own.wake(wake);
        } else {
            decided.wake(wake);
        }
        self.found.pivots.extend(lines);
        let of_percentiles = values.map(|values| Does::Cuts(settled_at, values));
        let of_pivots = (!turns.is_empty()).then_some(Does::Shifts(settled_at, turns));
        for does in of_percentiles.into_iter().chain(of_pivots) {
            self.settling.listener.sent += 1;
            let (from, number) = (Entity::Settler(self.run.rules.name.clone()), self.settling.listener.sent);
            let (to, at) = (Entity::Everybody, in_force);
            self.deliver(&Effect { to, from, number, at, hops: 1, origin: None, does });
        }
    }

    /// Whoever is concerned hears of it.
    fn tell(&mut self, rulings: Vec<(Entity, Ruling)>, at: EventTime) {
        let from = Entity::Settler(self.run.rules.name.clone());
        for (to, ruling) in rulings {
            self.settling.listener.sent += 1;
            let (from, number, does) = (from.clone(), self.settling.listener.sent, Does::Verdict(ruling));
            self.deliver(&Effect { to, from, number, at, hops: 1, origin: None, does });
        }
    }
}
