//! Between entities: what was caused here and is in force later, here or with another task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::advocates::Word;
use super::apply::Outcome;
use super::customer::Customer;
use super::customers::Slot;
use super::forgotten::Forgotten;
use super::look::Brought;
use super::rates::Prices;
use super::ties::{Sending, Ties};
use super::{Engine, TimeMode, resolved};
use crate::model::effect::{Does, Effect, MAX_HOPS, Origin};
use crate::model::event::{Body, Event, Profile};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::murmur2;
use crate::model::output::Output;
use crate::model::record::{Code, DeadLetter};
use crate::model::time::EventTime;

/// Which entities are at home with a task: those whose id hashes to its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    pub task: u32,
    pub tasks: u32,
}

impl Home {
    /// Everybody's.
    pub const ALONE: Self = Self { task: 0, tasks: 1 };

    /// The task where an entity is at home.
    pub fn of(self, id: &CustomerId) -> u32 {
        match id.kind() {
            _ if self.tasks == 1 => 0,
            EntityKind::Task => id.text().parse().unwrap_or_default(),
            _ => murmur2::home(id.text().as_bytes(), self.tasks),
        }
    }
}

/// What waits to be in force, in the order in which it will be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Effects {
    queue: BTreeMap<Place, Effect>,
    /// How many went to each other task so far, and came from each.
    sent: BTreeMap<u32, u64>,
    came: BTreeMap<u32, u64>,
}

/// Instant, target, sender, number.
type Place = (EventTime, CustomerId, CustomerId, u32);

impl Effects {
    /// When the first is in force.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.queue.first_key_value().map(|((at, ..), _)| *at)
    }

    /// Puts it in its place. Who is erased numbers nothing, and who is forgotten begins anew: of two of one number the one
    /// that came first is first.
    fn push(&mut self, effect: Effect) {
        let mut place = (effect.at, effect.to.clone(), effect.from.clone(), effect.number);
        while self.queue.contains_key(&place) {
            place.3 += 1;
        }
        self.queue.insert(place, effect);
    }
}

impl Engine {
    /// What the newest epoch does to entities at home with other tasks: the task, and what. In the order in which it was
    /// caused.
    pub fn take_effects(&mut self) -> Vec<(u32, Effect)> {
        std::mem::take(&mut self.leaving)
    }

    /// How many effects went to each other task so far, and how many came from each.
    pub const fn exchanged(&self) -> (&BTreeMap<u32, u64>, &BTreeMap<u32, u64>) {
        (&self.effects.sent, &self.effects.came)
    }

    /// How many wait to be in force.
    pub fn waiting_effects(&self) -> usize {
        self.effects.queue.len()
    }

    /// Takes in what another task sent.
    pub(super) fn receive(&mut self, effect: Effect, outputs: &mut Vec<Output>) {
        *self.effects.came.entry(self.home.of(&effect.from)).or_default() += 1;
        self.queue_effect(effect);
        self.take_arrivals(outputs);
    }

    /// In `live` an event that is brought is taken at once: features and alerts do not wait for the clock. Nor does the
    /// settler, which waits for all tasks.
    fn queue_effect(&mut self, effect: Effect) {
        let too_late = match effect.does {
            Does::Cuts { .. } | Does::Shifts { .. } => effect.at <= self.due(),
            Does::Verdict(_) => effect.at < self.clock,
            _ => false,
        };
        self.stats.settlements_late += u64::from(too_late && self.mode == TimeMode::Live);
        match effect.does {
            // In force later, it is asked for by time.
            Does::Cuts { settled_at, values } => {
                self.settlement.cuts.take(effect.at, settled_at, values);
            }
            Does::Shifts { settled_at, turns } => {
                self.take_turns(effect.at, settled_at, &turns);
            }
            Does::Bring(..) | Does::Report(_) | Does::Reached(_) if self.mode == TimeMode::Live => {
                self.arrivals.push_back(effect);
            }
            _ => self.effects.push(effect),
        }
    }

    /// Takes what is not to wait.
    pub(super) fn take_arrivals(&mut self, outputs: &mut Vec<Output>) {
        while let Some(effect) = self.arrivals.pop_front() {
            self.take_effect(effect, outputs);
        }
    }

    /// Takes the first effect of the queue, which is in force by now.
    pub(super) fn take_first_effect(&mut self, outputs: &mut Vec<Output>) {
        if let Some((_, effect)) = self.effects.queue.pop_first() {
            self.now = self.now.max(effect.at);
            self.pass_settlements(EventTime(effect.at.0 - 1));
            self.take_effect(effect, outputs);
        }
    }

    fn take_effect(&mut self, effect: Effect, outputs: &mut Vec<Output>) {
        self.stats.effects += 1;
        if effect.to.kind() == EntityKind::Settler {
            return self.hear_task(effect, outputs);
        }
        if let Does::Resolved { agent, day, cases, well } = &effect.does {
            let today = self.rules.calendar.day(effect.at);
            let has_room = self.agents.count(agent, (*day, *cases, *well), today);
            return self.stats.forgotten.add(Forgotten::Resolver, usize::from(!has_room));
        }
        let Some(slot) = self.customers.meet_one(&effect.to, &self.rules, &self.erased) else {
            return self.pass_over_effect(effect);
        };
        let is_late = self.customers[slot].as_of > effect.at;
        self.stats.effects_late += u64::from(is_late);
        let Effect { from, at, hops, origin, does, .. } = effect;
        if let Does::Bring(event, position) = does {
            return self.take_event(slot, (&event, position), Some(&from), at, hops, outputs);
        }
        if let Does::Except { case, exception } = does {
            return self.count_exception(slot, (&from, at, origin.as_ref()), (case, exception), outputs);
        }
        self.catch_up(slot, at, outputs);
        self.advance(slot, at);
        self.call_detectors(slot, outputs);
        self.customers[slot].news = u16::MAX;
        let counted = self.counted(slot);
        let outcome = self.undergo(slot, &from, at, does);
        self.recall_held(slot);
        self.call_detectors(slot, outputs);
        self.recount(slot, counted);
        self.count_member(slot);
        self.send(slot, origin.as_ref(), hops, outputs);
        let brought = origin.as_ref().map_or(Brought::Time, Brought::Origin);
        let said = self.customers[slot].seq;
        self.judge(slot, brought, outcome, outputs);
        if outcome.described && self.customers[slot].seq == said {
            self.describe(slot, brought, outputs);
        }
    }

    /// What is done to an entity; says what is to follow.
    fn undergo(&mut self, slot: Slot, from: &CustomerId, at: EventTime, does: Does) -> Outcome {
        let rules = std::sync::Arc::clone(&self.rules);
        let prices = Prices { rules: &rules, rates: &self.rates };
        let (customer, sendings) = (&mut self.customers[slot], &mut self.sendings);
        match does {
            // Taken before.
            Does::Bring(..)
            | Does::Resolved { .. }
            | Does::Except { .. }
            | Does::Report(_)
            | Does::Reached(_)
            | Does::Cuts { .. }
            | Does::Shifts { .. } => {}
            Does::Claim => {
                let forgotten = customer.claimed(from, Some(at), sendings);
                self.stats.forgotten.add(Forgotten::Owner, forgotten);
            }
            Does::Release => drop(customer.claimed(from, None, sendings)),
            Does::Refer { referrals, at, version } => {
                customer.referred(&referrals, Word::Event(at, version), &rules, sendings);
                customer.pass_on(Does::Refer { referrals, at, version }, sendings);
            }
            Does::Unrefer { referral } => {
                customer.referred(std::slice::from_ref(&referral), Word::Over, &rules, sendings);
                customer.pass_on(Does::Unrefer { referral }, sendings);
            }
            does @ (Does::Credit { .. } | Does::Uncredit { .. }) if customer.merged_into().is_some() => {
                customer.pass_on(does, sendings);
            }
            Does::Credit { buyer, orders, instead, refund } => {
                customer.uncredit(&instead, &rules);
                let foreign = customer.credit(&buyer, orders, prices);
                self.note_foreign(slot, foreign);
                return Outcome { look: true, refund, ..Outcome::default() };
            }
            Does::Uncredit { orders } => {
                customer.uncredit(&orders, &rules);
                return Outcome { look: true, ..Outcome::default() };
            }
            Does::Forgotten { who } => {
                customer.forget_referred(&who);
                customer.pass_on(Does::Forgotten { who }, sendings);
            }
            Does::Absorb(state) => {
                let mut foreign = Vec::new();
                let look = customer.join(from, state, prices, &mut self.stats, sendings, &mut foreign);
                self.note_foreign(slot, foreign);
                return Outcome { look, ..Outcome::default() };
            }
            Does::Part { who, names } => {
                customer.part(&who, &names, &rules, sendings);
                customer.pass_on(Does::Part { who, names }, sendings);
                customer.hand_on(&rules, sendings);
            }
            Does::Cut => {
                let before = customer.belongs_to();
                let look = customer.cut(from);
                customer.change_account(before, &rules, sendings);
                return Outcome { look, described: look, ..Outcome::default() };
            }
            Does::Join => self.stats.contacts_beyond += u64::from(!customer.joined(from, sendings)),
            Does::Leave => customer.left(from),
            Does::Verdict(verdict) => {
                return Outcome { look: customer.hear_verdict(*verdict), ..Outcome::default() };
            }
            Does::Account(summary) => return Outcome { look: customer.hear(from, summary), ..Outcome::default() },
            Does::RollUp(share) => {
                let mut foreign = Vec::new();
                let look = customer.take_share(&share, prices, &mut self.stats, &mut foreign);
                self.note_foreign(slot, foreign);
                return Outcome { look, ..Outcome::default() };
            }
        }
        Outcome::default()
    }

    /// Sends what an entity has to do to others: at home here it waits, elsewhere it leaves with the epoch.
    pub(super) fn send(&mut self, slot: Slot, origin: Option<&Origin>, hops: u8, outputs: &mut Vec<Output>) {
        for Sending { to, does } in std::mem::take(&mut self.sendings) {
            let own = match &does {
                Does::Bring(event, position) => Some(Origin::of(event, *position)),
                _ => origin.cloned(),
            };
            // What every task keeps does nothing further.
            if hops >= MAX_HOPS && to.kind() != EntityKind::EveryTask {
                if let Does::Absorb(state) = &does {
                    self.strand(slot, state);
                    continue;
                }
                outputs.extend(own.map(|origin| too_many_hops(&origin)));
                self.stats.dead_letters += 1;
                continue;
            }
            let customer = &mut self.customers[slot];
            let cause = match self.mode {
                TimeMode::Live => customer.as_of,
                TimeMode::Event => customer.as_of.max(self.now),
            };
            let (from, at) = (customer.id.clone(), cause.plus(self.rules.hop));
            let ties = customer.ties_mut();
            ties.sent += 1;
            let effect = Effect { to, from, number: ties.sent, at, hops: hops + 1, origin: own, does };
            self.deliver(effect);
        }
        // What follows from taking in what goes no further begins a row of its own.
        if !self.sendings.is_empty() {
            self.send(slot, origin, 0, outputs);
        }
    }

    /// At home here it waits, elsewhere it leaves with the epoch; what is everybody's goes to each task.
    pub(super) fn deliver(&mut self, effect: Effect) {
        let own = self.home.task;
        if effect.to.kind() == EntityKind::EveryTask {
            for task in (0..self.home.tasks).filter(|task| *task != own) {
                self.depart(task, effect.clone());
            }
            return self.queue_effect(effect);
        }
        match self.home.of(&effect.to) {
            task if task == own => self.queue_effect(effect),
            task => {
                self.depart(task, effect);
            }
        }
    }

    fn depart(&mut self, task: u32, effect: Effect) {
        *self.effects.sent.entry(task).or_default() += 1;
        self.leaving.push((task, effect));
    }

    /// Whether an event may do something to others, as far as can be told now; that it may not is certain, unless
    /// something that may comes before it.
    pub fn may_send(&self, event: &Event) -> bool {
        let plan = &self.rules.plan;
        let (has_accounts, rolls_up) = (plan.uses_accounts, plan.rolls_up(event.kind()));
        // Few are merged into others: where nobody is, nobody need be looked for.
        let is_rare = matches!(event.body, Body::Customer(_) | Body::Forget | Body::Erasure(_) | Body::Mention(_));
        let is_case = self.rules.exceptions.is_some() && matches!(event.body, Body::Case(_));
        let is_asked = self.merges || is_rare || rolls_up || is_case;
        let known = is_asked.then(|| self.customers.known(&event.entity_id())).flatten();
        let is_tied = |profile: Option<&Profile>| {
            let has_ties = |profile: &Profile| !profile.handles.is_empty() || profile.merged_into.is_some();
            profile.is_some_and(|profile| has_ties(profile) || (has_accounts && profile.account_id.is_some()))
        };
        let names_account = matches!(&event.body, Body::Purchase(purchase) if purchase.account_id.is_some());
        let goes_to_account = rolls_up && (names_account || known.is_some_and(Customer::reaches_accounts));
        // Whatever comes for somebody merged into another goes on, and so may what is done to somebody with ties.
        let profile = known.and_then(Customer::profile);
        let is_merged = profile.is_some_and(|profile| profile.merged_into.is_some());
        let ties = known.and_then(Customer::ties);
        match &event.body {
            Body::Account(_) | Body::ForgetAccount(_) => has_accounts,
            Body::Override(it) if it.account_id.is_some() => has_accounts,
            // What is priced anew may be an account's.
            Body::FxRate(_) => plan.judges_accounts || self.rules.follows_referrals(),
            Body::Customer(next) => is_tied(Some(next)) || is_tied(profile) || ties.is_some(),
            Body::Forget | Body::Erasure(_) => is_tied(profile) || ties.is_some(),
            Body::Mention(_) if event.customer.is_none() => ties.and_then(Ties::owner).is_some(),
            Body::Referral(_) | Body::Purchase(_) if self.rules.follows_referrals() => true,
            body if plan.resolvers && resolved::tells(body) => true,
            Body::Case(case) if is_case && case.exception.is_some() => true,
            Body::Case(case) if is_case && known.is_some_and(|known| known.tells_exception(case)) => true,
            _ => is_merged || goes_to_account,
        }
    }

    /// The first instant at which time alone may make an entity do something to others; never before it.
    pub fn next_sending(&self) -> Option<EventTime> {
        let first = self.effects.first().into_iter().chain(self.account_deadlines.first());
        first.chain(self.next_settling()).min()
    }
}

fn too_many_hops(origin: &Origin) -> Output {
    let message = format!("went from entity to entity {MAX_HOPS} times: customers are merged in a circle");
    Output::DeadLetter(origin.position, Box::new(DeadLetter::of(Code::TooManyHops, message, None, None)))
}
