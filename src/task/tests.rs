//! The task over a scripted broker: what it does when a transaction ends otherwise than hoped, and when it starts again.

mod guards;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::thread::JoinHandle;

use prost::Message;

use super::journal::JournalRecord;
use super::*;
use crate::broker::{Committed, Fetched, Outgoing, Refusal};
use crate::clock::virtual_time::Time;
use crate::codec::RawRecord;
use crate::model::event::Kind;

/// The end of 2020.
const UNTIL: EventTime = EventTime(1_609_459_200_000);

const INPUT: Partition = Partition::Input(Kind::Purchase, 0);

const RULES: &str = "
ruleset: test
currency: EUR
timezone: UTC
lateness: 1s
features: { spend_30d: { sum: purchase.amount, over: 30d } }
programmes: { big: { profile: value, grant: spend_30d >= 100 } }
";

/// How the next commit ends.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Aborted,
    UnknownYetDone,
    UnknownAndNotDone,
    Fenced,
    /// Unknown, and meanwhile another task committed its own epoch of that number.
    TakenOver,
    /// Unknown, and meanwhile the group gave the task to another process.
    Lost,
}

/// What outlives a task: the topics.
#[derive(Default)]
struct World {
    /// The input partition: Kafka's time and the value.
    input: Vec<(i64, String)>,
    kept_from: u64,
    journal: Vec<Vec<u8>>,
    /// Committed outputs.
    outputs: Vec<Outgoing>,
    /// Each attempt's records, committed or not.
    attempts: Vec<Vec<Outgoing>>,
    verdicts: VecDeque<Option<Verdict>>,
    inits: u32,
    /// The group's offsets.
    offsets: BTreeMap<Partition, Committed>,
    /// Asks the task to stop once so many epochs are committed.
    stop_after: Option<(usize, Arc<AtomicBool>)>,
    /// Another task commits its epoch before the group's offsets are asked for.
    overtakes: bool,
    /// Lost where the script says so.
    ownership: Option<Arc<Ownership>>,
}

/// A task's connection to it.
struct Scripted {
    world: Arc<Mutex<World>>,
    position: u64,
    told_end: bool,
    open: Vec<Outgoing>,
    offsets: BTreeMap<Partition, Committed>,
}

impl Scripted {
    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Broker for Scripted {
    fn kept(&mut self, _: Partition) -> Result<Range<u64>, BrokerError> {
        let world = self.world();
        Ok(world.kept_from..world.input.len() as u64)
    }

    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), BrokerError> {
        self.position = positions[&INPUT];
        Ok(())
    }

    fn fetch(
        &mut self,
        _: Duration,
        most: usize,
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<(), BrokerError> {
        let world = Arc::clone(&self.world);
        let world = world.lock().unwrap();
        let from = usize::try_from(self.position).unwrap();
        for (at, value) in world.input.iter().skip(from).take(most) {
            let timestamp = Some(EventTime(*at));
            let raw = RawRecord { value: Some(value.as_bytes()), timestamp, ..RawRecord::default() };
            sink(INPUT, Fetched::Record { offset: self.position, raw });
            self.position += 1;
            self.told_end = false;
        }
        if self.position == world.input.len() as u64 && !self.told_end {
            self.told_end = true;
            sink(INPUT, Fetched::AtEnd(self.position));
        }
        Ok(())
    }

    fn pause(&mut self, _: Partition, _: bool) -> Result<(), BrokerError> {
        Ok(())
    }

    fn init(&mut self) -> Result<(), Refusal> {
        self.open.clear();
        self.world().inits += 1;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Refusal> {
        assert!(self.open.is_empty(), "a transaction was left open");
        Ok(())
    }

    fn produce(&mut self, record: &Outgoing) -> Result<(), Refusal> {
        self.open.push(record.clone());
        Ok(())
    }

    fn offsets(&mut self, positions: &BTreeMap<Partition, u64>, metadata: &str) -> Result<(), Refusal> {
        let note = metadata.to_owned();
        self.offsets =
            positions.iter().map(|(it, offset)| (*it, Committed { offset: *offset, note: note.clone() })).collect();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Refusal> {
        let (sent, offsets) = (self.open.clone(), std::mem::take(&mut self.offsets));
        let mut world = self.world();
        world.attempts.push(sent.clone());
        let verdict = world.verdicts.pop_front().flatten();
        if matches!(verdict, None | Some(Verdict::UnknownYetDone)) {
            world.offsets.extend(offsets);
            for record in sent {
                if record.topic == "test.journal" {
                    world.journal.push(record.value.unwrap());
                } else {
                    world.outputs.push(record);
                }
            }
        }
        if matches!(verdict, Some(Verdict::TakenOver)) {
            let mut other = JournalRecord::decode(world.journal.last().unwrap().as_slice()).unwrap();
            other.epoch += 1;
            other.wall_ms += 1;
            world.journal.push(other.encode_to_vec());
        }
        if let Some((epochs, stop)) = &world.stop_after
            && world.journal.len() >= *epochs
        {
            stop.store(true, Ordering::Relaxed);
        }
        if let (Some(Verdict::Lost), Some(ownership)) = (verdict, &world.ownership) {
            ownership.lose();
        }
        drop(world);
        let why = "as the script says".to_owned();
        match verdict {
            None => {
                self.open.clear();
                Ok(())
            }
            Some(Verdict::Aborted) => Err(Refusal::Abortable(why)),
            Some(Verdict::Fenced) => Err(Refusal::Fenced(why)),
            Some(Verdict::UnknownYetDone | Verdict::UnknownAndNotDone | Verdict::TakenOver | Verdict::Lost) => {
                Err(Refusal::Unknown(why))
            }
        }
    }

    fn abort(&mut self) -> Result<(), Refusal> {
        self.open.clear();
        Ok(())
    }

    fn committed(&mut self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, BrokerError> {
        let mut world = self.world();
        if std::mem::take(&mut world.overtakes) {
            let mut other = JournalRecord::decode(world.journal.last().unwrap().as_slice()).unwrap();
            other.epoch += 1;
            let note = super::mirror::note(other.epoch, &other.outputs_digest);
            world.journal.push(other.encode_to_vec());
            world.offsets.values_mut().for_each(|committed| committed.note.clone_from(&note));
        }
        let all = world.offsets.clone();
        drop(world);
        Ok(all.into_iter().filter(|(partition, _)| partitions.contains(partition)).collect())
    }

    fn journal_range(&mut self) -> Result<Range<u64>, BrokerError> {
        Ok(0..self.world().journal.len() as u64)
    }

    fn journal(&mut self, range: Range<u64>, sink: &mut dyn FnMut(u64, &[u8])) -> Result<(), BrokerError> {
        for (offset, record) in (0..).zip(&self.world().journal).filter(|(offset, _)| range.contains(offset)) {
            sink(offset, record);
        }
        Ok(())
    }
}

fn order(number: u32, at: &str, amount: u32) -> (i64, String) {
    let value = format!(
        r#"{{"event_id":"e{number}","customer_id":"ann","occurred_at":"{at}","order_id":"o{number}","amount":"{amount}","currency":"EUR","status":"completed"}}"#
    );
    (1_600_000_000_000, value)
}

/// Orders that make a VIP three times, and gaps between them that end it.
fn world() -> Arc<Mutex<World>> {
    let days = ["2020-01-01", "2020-01-02", "2020-01-20", "2020-02-10", "2020-03-01", "2020-03-02", "2020-03-03"];
    let input = (0..).zip(days).map(|(number, day)| order(number, &format!("{day}T10:00:00Z"), 60)).collect();
    Arc::new(Mutex::new(World { input, ..World::default() }))
}

pub(super) fn setup(mode: TimeMode, until: Option<EventTime>) -> Setup {
    setup_with(RULES, mode, until)
}

fn setup_with(rules: &str, mode: TimeMode, until: Option<EventTime>) -> Setup {
    let rules = Arc::new(Ruleset::parse("rules.yaml", rules).unwrap());
    let wire = Wire {
        ruleset: rules.name().to_owned(),
        hash: rules.hash().to_owned(),
        run_id: None,
        origin: "live",
        topics: Kind::ALL.map(|kind| kind.name().to_owned()),
    };
    Setup {
        app: "test".to_owned(),
        journal: "test.journal".to_owned(),
        relay: "test.relay".to_owned(),
        tasks: 1,
        rules,
        mode,
        start: Start::Earliest,
        epoch: EpochBounds { linger: Duration::ZERO, records: 2 },
        merge_hold: Duration::from_secs(2),
        brake: Brake::default(),
        outputs: Outputs::default(),
        store: String::new(),
        topic_ids: BTreeMap::new(),
        wire,
        until,
        partitions: [(Kind::Purchase, 1)].into(),
        goals: BTreeMap::new(),
        progress: Progress::default(),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Runs a task over the world, in `event` time to the end of 2020.
fn run(world: &Arc<Mutex<World>>) -> Result<(), TaskError> {
    run_as(world, setup(TimeMode::Event, Some(UNTIL)))
}

fn run_as(world: &Arc<Mutex<World>>, setup: Setup) -> Result<(), TaskError> {
    run_owned(world, setup, Arc::default())
}

fn run_owned(world: &Arc<Mutex<World>>, setup: Setup, ownership: Arc<Ownership>) -> Result<(), TaskError> {
    let broker =
        Scripted { world: Arc::clone(world), position: 0, told_end: false, open: Vec::new(), offsets: BTreeMap::new() };
    let metrics = TaskMetrics::new(0, &setup.rules);
    let inputs = vec![(Kind::Purchase, 0)];
    let assignment = Assignment { setup: Arc::new(setup), partition: 0, inputs, ownership, snapshots: None };
    Task::new(assignment, broker, metrics).run()
}

/// What a run without trouble commits.
fn undisturbed() -> Vec<Outgoing> {
    let world = world();
    run(&world).unwrap();
    let outputs = world.lock().unwrap().outputs.clone();
    assert_eq!(outputs.len(), 12, "granted three times, each time revoked when the orders left the window");
    outputs
}

fn journal_epochs(world: &World) -> Vec<u64> {
    world.journal.iter().map(|record| JournalRecord::decode(record.as_slice()).unwrap().epoch).collect()
}

fn with_verdicts(verdicts: &[Option<Verdict>]) -> Arc<Mutex<World>> {
    let world = world();
    world.lock().unwrap().verdicts = verdicts.iter().copied().collect();
    world
}

#[test]
fn an_aborted_epoch_is_sent_again_as_it_was() {
    let world = with_verdicts(&[None, Some(Verdict::Aborted), Some(Verdict::Aborted)]);
    run(&world).unwrap();
    let world = world.lock().unwrap();
    assert_eq!(world.outputs, undisturbed());
    assert_eq!(world.attempts[1], world.attempts[2]);
    assert_eq!(world.attempts[2], world.attempts[3]);
    assert_eq!(world.inits, 1, "an abort needs no new producer");
}

#[test]
fn a_commit_of_unknown_outcome_that_was_done_is_not_done_again() {
    let world = with_verdicts(&[None, Some(Verdict::UnknownYetDone)]);
    run(&world).unwrap();
    let world = world.lock().unwrap();
    assert_eq!(world.outputs, undisturbed());
    assert!(journal_epochs(&world).into_iter().eq(0..world.journal.len() as u64));
    assert_eq!(world.inits, 2, "a new producer ends what the old one left open");
}

#[test]
fn a_commit_of_unknown_outcome_that_was_not_done_is_done_again() {
    let world = with_verdicts(&[None, Some(Verdict::UnknownAndNotDone), Some(Verdict::UnknownYetDone)]);
    run(&world).unwrap();
    let world = world.lock().unwrap();
    assert_eq!(world.outputs, undisturbed());
    assert_eq!(world.attempts[1], world.attempts[2]);
    assert!(journal_epochs(&world).into_iter().eq(0..world.journal.len() as u64));
}

#[test]
fn a_task_that_lost_its_partition_makes_no_new_producer() {
    let world = with_verdicts(&[None, Some(Verdict::Lost)]);
    let ownership: Arc<Ownership> = Arc::default();
    world.lock().unwrap().ownership = Some(Arc::clone(&ownership));
    let error = run_owned(&world, setup(TimeMode::Event, Some(UNTIL)), ownership).unwrap_err();
    assert!(matches!(error, TaskError::Interrupted), "{error}");
    let world = world.lock().unwrap();
    assert_eq!((world.inits, world.attempts.len()), (1, 2), "it would fence the rightful owner");
}

#[test]
fn even_the_first_record_of_the_journal_may_be_of_unknown_outcome() {
    for verdict in [Verdict::UnknownYetDone, Verdict::UnknownAndNotDone] {
        let world = with_verdicts(&[Some(verdict)]);
        run(&world).unwrap();
        assert_eq!(world.lock().unwrap().outputs, undisturbed());
    }
}

#[test]
fn an_epoch_in_the_journal_by_another_hand_ends_the_task() {
    let world = with_verdicts(&[None, None, Some(Verdict::TakenOver)]);
    let error = run(&world).unwrap_err();
    assert!(matches!(error, TaskError::Fenced { .. }), "{error}");
    assert_eq!(world.lock().unwrap().attempts.len(), 3, "nothing was sent after it was noticed");
}

#[test]
fn a_fenced_task_stops_and_says_who_took_over() {
    let world = with_verdicts(&[None, Some(Verdict::Fenced)]);
    let error = run(&world).unwrap_err();
    assert!(matches!(&error, TaskError::Fenced { id, .. } if id == "test-0"), "{error}");
    assert!(world.lock().unwrap().outputs.is_empty());
}

#[test]
fn asked_to_stop_it_takes_nothing_more_however_much_waits() {
    let world = world();
    let setup = setup(TimeMode::Event, Some(UNTIL));
    // The journal's start, and the first two of seven records.
    world.lock().unwrap().stop_after = Some((2, Arc::clone(&setup.stop)));
    run_as(&world, setup).unwrap();
    assert_eq!(world.lock().unwrap().journal.len(), 2);
    world.lock().unwrap().stop_after = None;
    run(&world).unwrap();
    assert_eq!(world.lock().unwrap().outputs, undisturbed());
}

#[test]
fn stopped_after_any_epoch_it_goes_on_as_if_never_stopped() {
    let whole = world();
    run(&whole).unwrap();
    let epochs = whole.lock().unwrap().journal.len();
    assert!(epochs >= 5, "{epochs} epochs");
    for cut in 0..epochs {
        let verdicts: Vec<Option<Verdict>> = (0..cut).map(|_| None).chain([Some(Verdict::Fenced)]).collect();
        let world = with_verdicts(&verdicts);
        run(&world).unwrap_err();
        run(&world).unwrap();
        let world = world.lock().unwrap();
        assert_eq!(world.outputs, undisturbed(), "cut at {cut}");
        assert_eq!(world.journal, whole.lock().unwrap().journal, "cut at {cut}");
    }
}

#[test]
fn other_records_than_were_journaled_are_refused_by_name() {
    let world = with_verdicts(&[None, None, None, Some(Verdict::Fenced)]);
    run(&world).unwrap_err();
    world.lock().unwrap().input[1] = order(1, "2020-01-02T10:00:00Z", 61);
    let error = run(&world).unwrap_err().to_string();
    assert!(error.contains("epoch 1 of task 0"), "{error}");
    assert!(error.contains("records in purchase partition 0 offsets 0 to 2"), "{error}");
}

#[test]
fn other_outputs_than_were_journaled_are_refused() {
    let world = with_verdicts(&[None, None, None, Some(Verdict::Fenced)]);
    run(&world).unwrap_err();
    {
        let mut world = world.lock().unwrap();
        let mut record = JournalRecord::decode(world.journal[1].as_slice()).unwrap();
        record.outputs_digest[0] ^= 1;
        world.journal[1] = record.encode_to_vec();
    }
    let error = run(&world).unwrap_err().to_string();
    assert!(error.contains("restoring epoch 1 of task 0 gave other outputs"), "{error}");
}

#[test]
fn a_range_that_retention_has_eaten_is_named() {
    let world = with_verdicts(&[None, None, Some(Verdict::Fenced)]);
    run(&world).unwrap_err();
    world.lock().unwrap().kept_from = 1;
    let error = run(&world).unwrap_err().to_string();
    assert!(error.starts_with("purchase partition 0 has lost offsets 0 to 1"), "{error}");
}

#[test]
fn a_topic_made_anew_is_refused() {
    let world = with_verdicts(&[None, None, Some(Verdict::Fenced)]);
    run(&world).unwrap_err();
    world.lock().unwrap().input.truncate(1);
    let error = run(&world).unwrap_err().to_string();
    assert!(error.contains("ends at offset 1, the journal has read it up to 2"), "{error}");
}

#[test]
fn what_was_early_when_first_read_stays_early_on_restart() {
    let world = world();
    {
        // Kafka's own time lies a year before the event's.
        let mut world = world.lock().unwrap();
        world.input = vec![order(0, "2021-01-01T10:00:00Z", 500)];
    }
    let live = |world: &Arc<Mutex<World>>, epochs| {
        let setup = setup(TimeMode::Live, None);
        world.lock().unwrap().stop_after = Some((epochs, Arc::clone(&setup.stop)));
        run_as(world, setup).unwrap();
    };
    live(&world, 2);
    let letters = world.lock().unwrap().outputs.clone();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].headers.contains(&("vipstream.error.code".to_owned(), b"early".to_vec())));

    {
        let mut world = world.lock().unwrap();
        world.input[0].0 = 1_650_000_000_000;
        world.input.push((1_650_000_000_000, order(1, "2021-01-01T10:00:00Z", 500).1));
    }
    live(&world, 3);
    let outputs = world.lock().unwrap().outputs.clone();
    assert_eq!(outputs[1].topic, "vip.events", "by its own time the second order is not early");
}

/// A time that moves by a millisecond whenever it is asked for.
struct Hasty {
    ms: AtomicI64,
    start: Instant,
}

impl Time for Hasty {
    fn wall(&self) -> EventTime {
        EventTime(1_700_000_000_000 + self.ms.fetch_add(1, Ordering::Relaxed))
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.ms.fetch_add(1, Ordering::Relaxed).unsigned_abs())
    }

    fn sleep(&self, span: Duration) {
        self.ms.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn spawn(&self, _: String, _: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
        panic!("nothing starts a thread here")
    }
}

#[test]
fn in_live_time_alone_revokes() {
    let world = world();
    world.lock().unwrap().input = vec![order(0, "2020-09-01T10:00:00Z", 500)];
    // The order leaves its window on 1 October 2020. A lateness of a moment more than the time since then lets that
    // fall due a moment from now, while nothing comes in.
    clock::virtual_time::enter(Some(Arc::new(Hasty { ms: AtomicI64::new(0), start: clock::now() })));
    let since = clock::wall().0 - 1_601_510_400_000;
    let rules = RULES.replace("lateness: 1s", &format!("lateness: {}ms", since + 300));
    let setup = setup_with(&rules, TimeMode::Live, None);
    // The journal's start, the order, the tick.
    world.lock().unwrap().stop_after = Some((3, Arc::clone(&setup.stop)));
    let started = clock::now();
    run_as(&world, setup).unwrap();
    assert!(
        clock::since(started) < Duration::from_secs(5),
        "a tick comes when a deadline is due, not with the heartbeat"
    );
    let kinds: Vec<String> = world
        .lock()
        .unwrap()
        .outputs
        .iter()
        .filter(|output| output.topic == "vip.events")
        .map(|output| serde_json::from_slice::<serde_json::Value>(output.value.as_deref().unwrap()).unwrap())
        .map(|output| format!("{} {}", output["type"].as_str().unwrap(), output["occurred_at"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, ["vip.granted 2020-09-01T10:00:00.000Z", "vip.revoked 2020-10-01T00:00:00.000Z"]);
}
