//! The group: who owns which journal partition, by its coordinator and as each member knows it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::world::Shared;
use crate::broker::{BrokerError, Change, Group};
use crate::clock;
use crate::support::dice::Dice;

/// The coordinator's side.
pub(super) struct Coordinator {
    session: Duration,
    partitions: u32,
    generation: u64,
    ids: u64,
    members: BTreeMap<u64, Member>,
    /// Whose each partition is, until given up.
    owners: BTreeMap<u32, u64>,
    /// Whose each is to be.
    targets: BTreeMap<u32, u64>,
}

#[derive(Default)]
struct Member {
    /// The `group.instance.id`.
    name: Option<String>,
    /// Told in this order.
    changes: VecDeque<Change>,
    /// Asked to give these up.
    releasing: BTreeSet<u32>,
    /// Nothing is heard of it since, and up to when.
    silent: Option<(Instant, Option<Instant>)>,
}

impl Coordinator {
    pub(super) fn new(session: Duration) -> Self {
        Self {
            session,
            partitions: 0,
            generation: 0,
            ids: 0,
            members: BTreeMap::new(),
            owners: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }

    pub(super) fn set_partitions(&mut self, partitions: u32) {
        self.partitions = partitions;
    }

    /// Takes in a member. One that bears the name of another takes its place.
    fn join(&mut self, name: Option<&str>, dice: &mut Dice) -> u64 {
        self.ids += 1;
        let id = self.ids;
        let former = name.and_then(|name| self.members.iter().find(|(_, it)| it.name.as_deref() == Some(name)));
        let former = former.map(|(id, _)| *id);
        self.members.insert(id, Member { name: name.map(str::to_owned), ..Member::default() });
        if let Some(former) = former {
            self.members.remove(&former);
            for owner in self.owners.values_mut().chain(self.targets.values_mut()).filter(|owner| **owner == former) {
                *owner = id;
            }
            let own = self.owners.iter().filter(|(_, owner)| **owner == id).map(|(partition, _)| *partition);
            let own = Change::Assigned(own.collect());
            self.members.get_mut(&id).expect("just inserted").changes.push_back(own);
        }
        self.rebalance(dice);
        let member = self.members.get_mut(&id).expect("just inserted");
        if member.changes.is_empty() {
            member.changes.push_back(Change::Assigned(Vec::new()));
        }
        id
    }

    fn leave(&mut self, id: u64, dice: &mut Dice) {
        if self.members.remove(&id).is_some() {
            self.owners.retain(|_, owner| *owner != id);
            self.rebalance(dice);
        }
    }

    /// Gives up on members that were not heard of for too long.
    pub(super) fn expire(&mut self, now: Instant, dice: &mut Dice) {
        let is_over = |member: &Member| {
            member.silent.is_some_and(|(since, until)| now.min(until.unwrap_or(now)) >= since + self.session)
        };
        let over: Vec<u64> = self.members.iter().filter(|(_, member)| is_over(member)).map(|(id, _)| *id).collect();
        for id in over {
            self.leave(id, dice);
        }
    }

    /// Nothing is heard of a member from now on, or for so long.
    pub(super) fn silence(&mut self, id: u64, span: Option<Duration>) {
        let now = clock::now();
        if let Some(member) = self.members.get_mut(&id) {
            let since = member.silent.map_or(now, |(since, _)| since);
            member.silent = Some((since, span.map(|span| now + span)));
        }
    }

    /// Moves a partition to another member for no reason.
    pub(super) fn stir(&mut self, dice: &mut Dice) {
        let members: Vec<u64> = self.members.keys().copied().collect();
        if members.is_empty() {
            return;
        }
        let partition = u32::try_from(dice.below(self.partitions as usize)).expect("few partitions");
        self.targets.insert(partition, *dice.pick(&members));
        self.generation += 1;
        self.reconcile();
    }

    /// Spreads the partitions evenly, moving few.
    fn rebalance(&mut self, dice: &mut Dice) {
        self.generation += 1;
        let mut members: Vec<u64> = self.members.keys().copied().collect();
        if members.is_empty() {
            self.targets.clear();
            return;
        }
        dice.shuffle(&mut members);
        let most = (self.partitions as usize).div_ceil(members.len());
        let mut load: BTreeMap<u64, usize> = members.iter().map(|member| (*member, 0)).collect();
        self.targets.clear();
        let mut homeless = Vec::new();
        for partition in 0..self.partitions {
            match self.owners.get(&partition) {
                Some(owner) if load.get(owner).is_some_and(|count| *count < most) => {
                    *load.get_mut(owner).expect("just seen") += 1;
                    self.targets.insert(partition, *owner);
                }
                _ => homeless.push(partition),
            }
        }
        for partition in homeless {
            let least = members.iter().min_by_key(|member| load[*member]).expect("somebody is there");
            *load.get_mut(least).expect("each has a load") += 1;
            self.targets.insert(partition, *least);
        }
        self.reconcile();
    }

    /// Takes from owners what is to be others', and gives what is nobody's.
    fn reconcile(&mut self) {
        for id in self.members.keys().copied().collect::<Vec<_>>() {
            let moving = self.owners.iter().filter(|(partition, owner)| {
                **owner == id && self.targets.get(partition).is_some_and(|target| *target != id)
            });
            let moving: BTreeSet<u32> = moving.map(|(partition, _)| *partition).collect();
            let given = self
                .targets
                .iter()
                .filter(|(partition, target)| **target == id && !self.owners.contains_key(partition));
            let given: Vec<u32> = given.map(|(partition, _)| *partition).collect();
            self.owners.extend(given.iter().map(|partition| (*partition, id)));
            let member = self.members.get_mut(&id).expect("it is listed");
            let taken: Vec<u32> = moving.difference(&member.releasing).copied().collect();
            member.releasing.extend(&taken);
            if !taken.is_empty() {
                member.changes.push_back(Change::Released(taken));
            }
            if !given.is_empty() {
                member.changes.push_back(Change::Assigned(given));
            }
        }
    }

    fn give_up(&mut self, id: u64, partitions: &[u32], dice: &mut Dice) {
        let Some(member) = self.members.get_mut(&id) else { return };
        for partition in partitions {
            if member.releasing.remove(partition) {
                self.owners.remove(partition);
            }
        }
        self.rebalance(dice);
    }

    /// Whether a generation and member are those that may commit offsets.
    pub(super) fn is_current(&self, standing: Standing) -> bool {
        self.members.contains_key(&standing.id) && standing.generation == self.generation
    }

    /// Whether each partition is where it is to be, and each member was told.
    pub(super) fn is_settled(&self) -> bool {
        self.owners.len() == self.partitions as usize
            && self.owners == self.targets
            && self.members.values().all(|member| member.changes.is_empty() && member.silent.is_none())
    }
}

/// Who a member is to the group, as it last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) id: u64,
    pub(super) generation: u64,
}

/// What a process's tasks know of its membership.
#[derive(Clone, Default)]
pub(super) struct Membership(Arc<Mutex<Known>>);

#[derive(Clone, Copy, Default)]
struct Known {
    standing: Option<Standing>,
    /// The coordinator is out of this process's reach before.
    cut_until: Option<Instant>,
}

impl Membership {
    pub(super) fn standing(&self) -> Option<Standing> {
        self.0.lock().unwrap().standing
    }

    fn set(&self, standing: Option<Standing>) {
        self.0.lock().unwrap().standing = standing;
    }

    fn is_cut(&self) -> bool {
        self.0.lock().unwrap().cut_until.is_some_and(|until| clock::now() < until)
    }

    /// Puts the coordinator out of reach for so long.
    pub(super) fn cut(&self, span: Duration) {
        self.0.lock().unwrap().cut_until = Some(clock::now() + span);
    }
}

/// A member's side.
pub(super) struct SimulatedGroup {
    shared: Shared,
    own: Membership,
    name: Option<String>,
    owned: BTreeSet<u32>,
    /// Taken away and not acknowledged.
    pending: Option<Vec<u32>>,
    asked: bool,
}

impl SimulatedGroup {
    pub(super) fn new(shared: Shared, own: Membership, name: Option<String>) -> Self {
        Self { shared, own, name, owned: BTreeSet::new(), pending: None, asked: false }
    }

    /// What the coordinator says when asked now.
    fn hear(&mut self) -> Result<Option<Change>, BrokerError> {
        let mut world = self.shared.now();
        let world = &mut *world;
        let standing = self.own.standing();
        let Some(member) = standing.and_then(|own| world.group.members.get_mut(&own.id)) else {
            if self.pending.is_some() {
                return Ok(None);
            }
            let namesake = standing.is_some()
                && self.name.is_some()
                && world.group.members.values().any(|member| member.name == self.name);
            if namesake {
                let reason = "another process has this one's name".to_owned();
                return Err(BrokerError::Denied { what: "membership".to_owned(), reason });
            }
            self.own.set(None);
            if !self.owned.is_empty() {
                self.asked = false;
                let lost: Vec<u32> = std::mem::take(&mut self.owned).into_iter().collect();
                self.pending = Some(lost.clone());
                return Ok(Some(Change::Lost(lost)));
            }
            let id = world.group.join(self.name.as_deref(), &mut world.dice);
            self.own.set(Some(Standing { id, generation: world.group.generation }));
            return Ok(None);
        };
        member.silent = None;
        let id = standing.expect("it is a member").id;
        self.own.set(Some(Standing { id, generation: world.group.generation }));
        if self.pending.is_some() {
            return Ok(None);
        }
        let change = member.changes.pop_front();
        match &change {
            Some(Change::Assigned(partitions)) => self.owned.extend(partitions),
            Some(Change::Released(partitions)) => {
                self.owned.retain(|partition| !partitions.contains(partition));
                self.pending = Some(partitions.clone());
                self.asked = false;
            }
            Some(Change::Lost(_) | Change::Confirmed) => unreachable!("the coordinator says neither"),
            None if std::mem::take(&mut self.asked) => return Ok(Some(Change::Confirmed)),
            None => {}
        }
        Ok(change)
    }
}

impl Group for SimulatedGroup {
    fn poll(&mut self, wait: Duration) -> Result<Option<Change>, BrokerError> {
        self.shared.travel();
        let heard = if self.own.is_cut() { None } else { self.hear()? };
        if heard.is_none() {
            clock::sleep(wait);
        }
        Ok(heard)
    }

    fn acknowledge(&mut self) -> Result<(), BrokerError> {
        self.shared.travel();
        let given_up = self.pending.take().unwrap_or_default();
        if let Some(own) = self.own.standing() {
            let mut world = self.shared.now();
            let world = &mut *world;
            world.group.give_up(own.id, &given_up, &mut world.dice);
        }
        Ok(())
    }

    fn confirm(&mut self) {
        self.asked = true;
    }

    fn leave(&mut self, _: Duration) {
        self.shared.travel();
        if let Some(own) = self.own.standing() {
            let mut world = self.shared.now();
            let world = &mut *world;
            world.group.leave(own.id, &mut world.dice);
        }
        self.own.set(None);
    }
}
