//! Exactly once under trouble, on a real Apache Kafka: five tasks over three processes that are killed and frozen,
//! a broker that crashes, records on wrong partitions, disks with snapshots that are wiped, while customers merge and
//! part, buy for accounts and for who referred them, and rates are corrected. The reference model, given what the
//! journal says was taken and when, must say exactly what a committed reader finds.
//!
//! More of it: `VIPSTREAM_CHAOS="records=1000000 rate=4000 customers=20000 kills=20 crashes=3 freezes=3 wipes=10" tests/run
//! --release --test chaos -- --nocapture`; `seed=N` repeats one run's moments. `VIPSTREAM_CHAOS="records=1000 rate=1000
//! customers=20 kills=0 crashes=0 freezes=0 wipes=0 soak=600 judge=0"` goes on in peace for ten minutes and looks at the memory:
//! so few customers reach every bound on what is remembered of them within some minutes. The model, which works
//! everything out anew, is spared then.

mod support {
    #[expect(dead_code, reason = "the simulation needs the rest")]
    pub mod chaos;
    #[expect(dead_code, reason = "other tests need the rest")]
    #[path = "generate/dice.rs"]
    pub mod dice;
    #[expect(dead_code, reason = "other tests need the rest")]
    pub mod kafka;
    #[expect(dead_code, reason = "other tests need the rest")]
    pub mod model;
    #[expect(dead_code, reason = "other tests need the rest")]
    pub mod topics;
}

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use support::chaos::events;
use support::chaos::fleet::{Fleet, crash};
use support::chaos::ledger::Ledger;
use support::chaos::reading;
use support::chaos::traffic::{INPUTS, Traffic};
use support::dice::Dice;
use support::kafka::{self, Broker};
use support::model::fold::{Fold, Mode, Sent, Setup, assert_sequences, null_status, numbered};
use support::topics;
use vipstream::model::event::Kind;
use vipstream::rules::ruleset::Ruleset;

/// The output topics, dead letters last.
const OUTPUTS: [&str; 7] = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"];

/// What lies in each: those of a key with their numbers, so that their order tells.
type Lines = [Vec<String>; 7];

const TASKS: u32 = 5;
const PROCESSES: usize = 3;

/// Long enough for a process to stay a member through a slow moment, short enough to test.
const SESSION: Duration = Duration::from_secs(6);

/// How much trouble there is.
struct Plan {
    seed: u64,
    records: u64,
    /// Records a second.
    rate: u64,
    customers: usize,
    kills: u64,
    crashes: u64,
    freezes: u64,
    wipes: u64,
    /// Seconds of peace after the trouble.
    soak: u64,
    judge: u64,
}

impl Plan {
    fn read() -> Self {
        let text = std::env::var("VIPSTREAM_CHAOS").unwrap_or_default();
        let given: BTreeMap<&str, u64> = text
            .split_whitespace()
            .map(|word| word.split_once('=').expect("VIPSTREAM_CHAOS holds words such as kills=20"))
            .map(|(name, number)| (name, number.parse().expect("VIPSTREAM_CHAOS holds whole numbers")))
            .collect();
        let number = |name: &str, default: u64| given.get(name).copied().unwrap_or(default);
        Self {
            seed: number("seed", std::time::UNIX_EPOCH.elapsed().expect("after 1970").subsec_nanos().into()),
            records: number("records", 30_000),
            rate: number("rate", 400),
            customers: usize::try_from(number("customers", 1_000)).expect("not so many"),
            kills: number("kills", 3),
            crashes: number("crashes", 1),
            freezes: number("freezes", 1),
            wipes: number("wipes", 2),
            soak: number("soak", 0),
            judge: number("judge", 1),
        }
    }

    /// What befalls whom, after how many records, in order.
    fn troubles(&self, dice: &mut Dice) -> Vec<(u64, Trouble)> {
        let records = usize::try_from(self.records).expect("not so many");
        let kinds = [
            (Trouble::Kill, self.kills),
            (Trouble::Crash, self.crashes),
            (Trouble::Freeze, self.freezes),
            (Trouble::Wipe, self.wipes),
        ];
        let all = kinds.into_iter().flat_map(|(trouble, times)| (0..times).map(move |_| trouble));
        let mut at: Vec<(u64, Trouble)> =
            all.map(|trouble| (u64::try_from(dice.below(records)).unwrap_or_default(), trouble)).collect();
        at.sort_unstable();
        at
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Kill,
    Crash,
    Freeze,
    Wipe,
}

#[test]
fn whatever_befalls_processes_and_broker_the_model_says_what_readers_see() {
    let plan = Plan::read();
    eprintln!("repeat with VIPSTREAM_CHAOS=\"seed={} records={} ...\"", plan.seed, plan.records);
    let mut broker = Broker::start();
    let app = kafka::unique("chaos");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = events::rules(&app, "2s", true);
    prepare(&broker.address, &app, folder.path(), &rules);
    let mut fleet = Fleet::start(folder.path(), PROCESSES);
    torment(&plan, &mut broker, &mut fleet, &app);
    soak(&plan, &broker.address, &fleet, &app);
    wait_until_read(&broker.address, &app, &mut fleet);
    let published = fleet.said(&["snapshot published"]);
    let (restores, begun) =
        (fleet.said(&["restored, digests agree"]), fleet.said(&["restored, digests agree", "\"snapshot\""]));
    eprintln!("{published} snapshots published, {restores} restores, {begun} of them from a snapshot");
    assert!(published > 0, "snapshots were taken");
    fleet.end();
    let ledger = read(&broker.address, &app);
    ledger.assert_ranges_are_gapless_and_reach_the_end();
    let handed_over = ledger.assert_handed_over_once();
    let epochs: usize = ledger.journal.iter().map(Vec::len).sum();
    eprintln!("{epochs} epochs, {handed_over} records handed over");
    if plan.judge > 0 {
        judge(&ledger, &broker.address, &app, &rules);
    }
}

fn prepare(bootstrap: &str, app: &str, folder: &Path, rules: &str) {
    for (kind, partitions) in INPUTS {
        topics::create(bootstrap, &format!("{app}.{}", kind.name()), partitions);
    }
    let inputs: Vec<String> =
        INPUTS.iter().map(|(kind, _)| format!("  {0}: {{ topic: {app}.{0} }}", kind.name())).collect();
    let outputs = OUTPUTS.map(|name| format!("{name}: {app}.{name}")).join(", ");
    let config = format!(
        "app: {app}\nkafka: {{ bootstrap.servers: \"{bootstrap}\", session.timeout.ms: {} }}\ntasks: {TASKS}\n\
         rules: rules.yaml\ninputs:\n{}\noutputs: {{ {outputs} }}\n\
         snapshots: {{ every: 10s }}\n",
        SESSION.as_millis(),
        inputs.join("\n")
    );
    std::fs::write(folder.join("vipstream.yaml"), config).expect("a writable folder");
    std::fs::write(folder.join("rules.yaml"), rules).expect("a writable folder");
}

/// Sends the records at their rate, and brings the troubles as they come up.
fn torment(plan: &Plan, broker: &mut Broker, fleet: &mut Fleet, app: &str) {
    let mut traffic = Traffic::new(plan.seed, plan.customers, app);
    let mut troubles = plan.troubles(&mut traffic.dice).into_iter().peekable();
    let producer = topics::producer(&broker.address);
    let mut frozen: Option<(usize, Instant)> = None;
    let started = Instant::now();
    for sent in 0..plan.records {
        while troubles.peek().is_some_and(|(at, _)| *at <= sent) {
            let (at, trouble) = troubles.next().expect("just seen");
            let member = traffic.dice.below(PROCESSES);
            eprintln!("{:6.1} s, record {at}: {trouble:?} (process {member})", started.elapsed().as_secs_f64());
            match trouble {
                // The frozen one is left to wake up.
                Trouble::Kill => {
                    let member = other_than(frozen, member);
                    // Half of them come back to an empty disk.
                    if traffic.dice.chance(50) {
                        fleet.wipe(member);
                    }
                    fleet.kill(member);
                }
                Trouble::Wipe => fleet.wipe(member),
                Trouble::Crash => {
                    fleet.wait_until_started(frozen.map(|(member, _)| member));
                    crash(broker);
                }
                Trouble::Freeze => {
                    thaw(fleet, &mut frozen, &producer);
                    fleet.wait_until_started(None);
                    fleet.freeze(member, true);
                    frozen = Some((member, Instant::now()));
                }
            }
        }
        if frozen.is_some_and(|(_, since)| since.elapsed() > SESSION * 2) {
            thaw(fleet, &mut frozen, &producer);
        }
        traffic.send(&producer, app);
        pace(plan.rate, sent, started, &producer);
    }
    thaw(fleet, &mut frozen, &producer);
    producer.flush(Duration::from_mins(2)).expect("everything sent arrives");
}

/// Lets the frozen process go on, once it was frozen for longer than the session.
fn thaw(fleet: &Fleet, frozen: &mut Option<(usize, Instant)>, producer: &BaseProducer) {
    let Some((member, since)) = frozen.take() else { return };
    while since.elapsed() < SESSION * 2 {
        producer.poll(Duration::from_millis(100));
    }
    fleet.freeze(member, false);
}

fn other_than(frozen: Option<(usize, Instant)>, member: usize) -> usize {
    if frozen.is_some_and(|(it, _)| it == member) { (member + 1) % PROCESSES } else { member }
}

/// Waits while more was sent than the rate allows.
fn pace(rate: u64, sent: u64, started: Instant, producer: &BaseProducer) {
    let due = Duration::from_micros(sent * 1_000_000 / rate);
    while started.elapsed() < due {
        producer.poll(Duration::from_millis(5));
    }
}

/// Goes on in peace, and looks at the memory of each process: in the last quarter it must not grow any more.
fn soak(plan: &Plan, bootstrap: &str, fleet: &Fleet, app: &str) {
    let mut traffic = Traffic::new(plan.seed + 1, plan.customers, app);
    let producer = topics::producer(bootstrap);
    let (started, mut before) = (Instant::now(), Vec::new());
    for second in 0..plan.soak {
        for sent in second * plan.rate..(second + 1) * plan.rate {
            traffic.send(&producer, app);
            pace(plan.rate, sent, started, &producer);
        }
        if second % 30 == 0 {
            let mebibytes: Vec<u64> = fleet.memory().iter().map(|bytes| bytes >> 20).collect();
            eprintln!("{second:>4} s in peace: {mebibytes:?} MiB");
        }
        if second == plan.soak * 3 / 4 {
            before = fleet.memory();
        }
    }
    producer.flush(Duration::from_mins(2)).expect("everything sent arrives");
    for (before, after) in before.iter().zip(fleet.memory()) {
        assert!(after < before + before / 20, "grown from {before} to {after} bytes");
    }
}

/// Waits until the group's offsets have reached the end of every input and of the relay.
fn wait_until_read(bootstrap: &str, app: &str, fleet: &mut Fleet) {
    let (mut least, mut progressed) = (i64::MAX, Instant::now());
    let watcher: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", app)
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer");
    loop {
        let behind = lag(&watcher, app);
        // Of what every task reads, the group's offsets say how far one of them is.
        if behind == 0 && read(bootstrap, app).unread().is_empty() {
            return;
        }
        assert_eq!(fleet.fallen(), None);
        watcher.poll(Duration::from_millis(200));
        if behind < least {
            (least, progressed) = (behind, Instant::now());
        }
        assert!(progressed.elapsed() < Duration::from_mins(3), "{behind} records behind");
    }
}

/// What the topics hold.
fn read(bootstrap: &str, app: &str) -> Ledger {
    reading::read(bootstrap, app, &INPUTS.map(|(kind, _)| kind), TASKS)
}

/// What `kafka-consumer-groups` would show.
fn lag(watcher: &BaseConsumer, app: &str) -> i64 {
    let mut list = TopicPartitionList::new();
    let relay = (format!("{app}.relay"), i32::try_from(TASKS).expect("few tasks"));
    let inputs = INPUTS.iter().map(|(kind, partitions)| (format!("{app}.{}", kind.name()), *partitions));
    for (topic, partitions) in inputs.chain([relay]) {
        for partition in 0..partitions {
            list.add_partition(&topic, partition);
        }
    }
    let wait = Duration::from_secs(10);
    let Ok(committed) = watcher.committed_offsets(list, wait) else { return i64::MAX };
    let behind = committed.elements().into_iter().map(|element| {
        let end = watcher.fetch_watermarks(element.topic(), element.partition(), wait).map_or(i64::MAX, |it| it.1);
        match element.offset() {
            Offset::Offset(offset) => end - offset,
            _ => end,
        }
    });
    behind.sum()
}

/// Compares what committed readers see with what the model says.
fn judge(ledger: &Ledger, bootstrap: &str, app: &str, rules: &str) {
    let expected = model_says(ledger, app, rules);
    let counts = expected.each_ref().map(Vec::len);
    eprintln!("{OUTPUTS:?}: {counts:?} records, as the model says");
    let least = |name: &str| if name == "insights" { 3 } else { 20 };
    let mut found = OUTPUTS.iter().zip(counts);
    assert!(found.all(|(name, count)| count > least(name)), "the traffic brings outputs of every kind: {counts:?}");
    for (name, expected) in OUTPUTS.into_iter().zip(expected) {
        let seen = seen(bootstrap, app, name);
        for (seen, expected) in seen.iter().zip(&expected) {
            assert_eq!(seen, expected, "{app}.{name}");
        }
        assert_eq!(seen.len(), expected.len(), "{app}.{name}");
    }
}

/// The outputs of all tasks, sorted.
fn model_says(ledger: &Ledger, app: &str, rules: &str) -> Lines {
    let hash = Ruleset::parse("rules.yaml", rules).expect("rules in order").hash().to_owned();
    let topics: BTreeMap<Kind, String> =
        INPUTS.iter().map(|(kind, _)| (*kind, format!("{app}.{}", kind.name()))).collect();
    let fold = |task| {
        let (hash, mode, topics) = (&hash, Mode::Live, topics.clone());
        Fold::new(Setup { ruleset: rules, hash, app, mode, topics, task, tasks: TASKS })
    };
    let (mut topics, mut letters): ([Vec<Sent>; 6], Vec<String>) = Default::default();
    for said in ledger.folded(fold) {
        letters.extend(said.dead_letters.iter().map(|(position, code)| {
            format!("{app}.{} {} {} {}", position.kind.name(), position.partition, position.offset, code.name())
        }));
        for (topic, (_, sent)) in topics.iter_mut().zip(said.topics()) {
            topic.extend(sent);
        }
    }
    let [events, alerts, status, audit, insights, pivots] = topics.map(numbered);
    let mut lines = [events, alerts, status, audit, insights, pivots, letters];
    for lines in &mut lines {
        lines.sort_unstable();
    }
    lines
}

/// What a committed reader finds, in the model's form, sorted.
fn seen(bootstrap: &str, app: &str, name: &str) -> Vec<String> {
    let read = topics::read_all(bootstrap, &format!("{app}.{name}"));
    let mut lines: Vec<String> = if name == "dlq" {
        let parts = ["topic", "partition", "offset", "code"].map(|name| format!("vipstream.error.{name}"));
        let line = |read: &topics::Read| parts.each_ref().map(|name| read.header(name).unwrap_or_default()).join(" ");
        read.iter().map(line).collect()
    } else {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let sent = read.into_iter().map(|read| {
            let key = text(read.key.expect("an output has a key"));
            Sent { value: read.value.map_or_else(|| null_status(&key), text), key }
        });
        let sent: Vec<Sent> = sent.collect();
        if name == "events" {
            assert_sequences(&sent);
        }
        numbered(sent)
    };
    lines.sort_unstable();
    lines
}
