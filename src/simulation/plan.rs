//! What a seed stands for: the app, its inputs, and what befalls it.

use std::time::Duration;

use super::traffic::APP;
use super::world::Trouble;
use crate::engine::TimeMode;
use crate::model::event::Kind;
use crate::support::dice::Dice;
use crate::support::events;

/// One simulation.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is decided by itself")]
pub(super) struct Plan {
    pub(super) tasks: u32,
    pub(super) processes: usize,
    pub(super) mode: TimeMode,
    /// In `event`: ends by itself once everything of the start was read.
    pub(super) ends: bool,
    /// Each input with its partitions.
    pub(super) inputs: Vec<(Kind, u32)>,
    pub(super) astray: Option<Kind>,
    pub(super) customers: usize,
    /// The rules are also about accounts, advocates and agents.
    pub(super) ties: bool,
    /// Records there at the start, and sent while trouble lasts.
    pub(super) backlog: usize,
    pub(super) records: usize,
    pub(super) linger: Duration,
    pub(super) epoch_records: usize,
    pub(super) merge_hold: Duration,
    pub(super) session: Duration,
    /// Processes have names, as with `group.instance.id`.
    pub(super) named: bool,
    /// What befalls processes, broker and group, one after the other.
    pub(super) blows: Vec<(Duration, Blow)>,
    pub(super) trouble: Trouble,
    pub(super) stores: Stores,
    /// How often snapshots are taken, where they are.
    pub(super) snapshots: Option<Duration>,
    /// Records that somebody else writes to the relay, handed on as often as may be.
    pub(super) intruders: usize,
    /// Of what is there at the start, older records of a key are gone.
    pub(super) compacted: bool,
}

/// Where snapshots lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stores {
    /// One for all processes; topics keep what a restart from it needs.
    Shared,
    /// Each process has its own; topics keep everything.
    Own,
}

/// Something that happens to a process, a partition, or the group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blow {
    /// Its threads end where they stand; it starts anew after a while.
    Kill { process: usize, down: Duration },
    /// Its threads stand still.
    Freeze { process: usize, span: Duration },
    /// It is asked to stop, and starts anew after a while.
    Stop { process: usize, down: Duration },
    /// It does not reach the group.
    Cut { process: usize, span: Duration },
    /// A partition's leader does not answer: of an input, the journal, the relay or an output.
    Silence { topic: usize, partition: usize, span: Duration },
    /// Nor the coordinator of transactions.
    Coordinator { span: Duration },
    /// The group moves a partition.
    Stir,
    /// A process's own snapshots are gone.
    Wipe { process: usize },
    /// One of their objects is damaged.
    Damage { process: usize },
    /// What no restart needs leaves the topics.
    Retain,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let tasks = *dice.pick(&[1, 1, 2, 2, 3, 4]);
        let mode = if dice.chance(60) { TimeMode::Live } else { TimeMode::Event };
        let ends = mode == TimeMode::Event && dice.chance(60);
        let processes = 1 + dice.below(3);
        let mut inputs = inputs(&mut dice, tasks);
        let astray = dice.chance(40).then(|| dice.pick(&inputs).0);
        inputs.extend(broadcast(&mut dice));
        by_hand(&mut Dice::new(seed ^ 0x6f76_6572), &mut inputs);
        let session = Duration::from_millis(*dice.pick(&[1_500, 3_000, 6_000]));
        let calm = dice.chance(5);
        let rate = |dice: &mut Dice, most: usize| if calm || dice.chance(40) { 0 } else { dice.below(most) };
        let trouble = Trouble {
            aborted: rate(&mut dice, 20),
            unknown: rate(&mut dice, 25),
            slow: rate(&mut dice, 4),
            unanswered: rate(&mut dice, 25),
            store: rate(&mut dice, 30),
            eager: false,
            forges: false,
            silent_until: None,
        };
        let blows = if calm { 0 } else { dice.below(7) };
        let stores = if dice.chance(50) { Stores::Shared } else { Stores::Own };
        let forges = stores == Stores::Own && dice.chance(25);
        Self {
            tasks,
            processes,
            mode,
            ends,
            inputs,
            astray,
            customers: 2 + dice.below(12),
            ties: dice.chance(75),
            backlog: dice.below(120),
            records: if ends { 0 } else { 10 + dice.below(120) },
            linger: Duration::from_millis(*dice.pick(&[0, 5, 20, 200])),
            epoch_records: *dice.pick(&[1, 3, 10, 100, 10_000]),
            merge_hold: Duration::from_millis(*dice.pick(&[100, 500, 2_000])),
            session,
            named: dice.chance(30),
            stores,
            blows: (0..blows).map(|_| blow(&mut dice, processes, session, stores)).collect(),
            trouble: Trouble { forges, ..trouble },
            snapshots: dice.chance(70).then(|| millis(&mut dice, 100, 3_000)),
            intruders: usize::from(mode == TimeMode::Live && tasks > 1 && dice.chance(20)),
            compacted: dice.chance(15),
        }
    }

    pub(super) fn rules(&self) -> String {
        events::rules(APP, "1s", self.ties)
    }
}

fn inputs(dice: &mut Dice, tasks: u32) -> Vec<(Kind, u32)> {
    let stories: [&[Kind]; 5] = [
        &[Kind::Customer, Kind::Account],
        &[Kind::Customer, Kind::Referral],
        &[Kind::Csat, Kind::Case],
        &[Kind::Mention, Kind::Customer],
        &[Kind::Erasure, Kind::Csat],
    ];
    let mut kinds = vec![Kind::Purchase];
    for kind in stories.into_iter().filter(|_| dice.chance(45)).flatten() {
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    let partitions = |dice: &mut Dice| match dice.below(3) {
        0 => tasks,
        1 => 1,
        _ => u32::try_from(1 + dice.below(5)).expect("few"),
    };
    kinds.iter().map(|kind| (*kind, partitions(dice))).collect()
}

/// Inputs that every task reads whole.
fn broadcast(dice: &mut Dice) -> Vec<(Kind, u32)> {
    let kinds: &[Kind] = match dice.below(6) {
        0 => &[Kind::Agent],
        1 => &[Kind::FxRate],
        2..5 => &[Kind::FxRate, Kind::Agent],
        _ => &[],
    };
    kinds.iter().map(|kind| (*kind, u32::try_from(1 + dice.below(3)).expect("few"))).collect()
}

/// What people decide, and whom they answer. From dice of their own: the other seeds stay what they are.
fn by_hand(dice: &mut Dice, inputs: &mut Vec<(Kind, u32)>) {
    let kinds: &[Kind] = match dice.below(10) {
        0..2 => &[Kind::Override],
        2 => &[Kind::Mention, Kind::Acknowledgement, Kind::Override],
        _ => &[],
    };
    for kind in kinds {
        if inputs.iter().all(|(other, _)| other != kind) {
            inputs.push((*kind, u32::try_from(1 + dice.below(3)).expect("few")));
        }
    }
}

fn blow(dice: &mut Dice, processes: usize, session: Duration, stores: Stores) -> (Duration, Blow) {
    let after = millis(dice, 1, 2_500);
    let process = dice.below(processes);
    // Sometimes shorter than the session, sometimes longer.
    let span = session * u32::try_from(1 + dice.below(16)).expect("few") / 8;
    let down = millis(dice, 1, 3_000);
    let blow = match dice.below(15) {
        0..4 => Blow::Kill { process, down },
        4..6 => Blow::Freeze { process, span },
        6 => Blow::Stop { process, down },
        7 => Blow::Cut { process, span },
        8 => Blow::Silence { topic: dice.below(14), partition: dice.below(5), span },
        9 => Blow::Coordinator { span: millis(dice, 10, 4_000) },
        10 => Blow::Stir,
        11..13 if stores == Stores::Own => Blow::Wipe { process },
        _ if stores == Stores::Own => Blow::Damage { process },
        _ => Blow::Retain,
    };
    (after, blow)
}

fn millis(dice: &mut Dice, from: i64, to: i64) -> Duration {
    Duration::from_millis(dice.number(from, to).unsigned_abs())
}
