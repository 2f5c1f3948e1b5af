//! Reading as a task does, on a real Apache Kafka: nothing lost, nothing twice, and every end told.

#[path = "support/kafka.rs"]
mod kafka;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/topics.rs"]
mod topics;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vipstream::broker::group::Member;
use vipstream::broker::kafka::Kafka;
use vipstream::broker::{Broker, BrokerError, Fetched, Partition};
use vipstream::config::Config;
use vipstream::model::event::Kind;

const FIRST: Partition = Partition::Input(Kind::Purchase, 0);
const SECOND: Partition = Partition::Input(Kind::Purchase, 1);
const OTHER: Partition = Partition::Input(Kind::Csat, 0);

/// An app with two inputs, the first of two partitions.
struct Topics {
    app: String,
    bootstrap: String,
}

impl Topics {
    fn make() -> Self {
        let topics = Self { app: kafka::unique("reader"), bootstrap: kafka::bootstrap().to_owned() };
        topics.each(|topic, partitions| topics::create(&topics.bootstrap, topic, partitions));
        topics
    }

    fn each(&self, mut make: impl FnMut(&str, i32)) {
        for (name, partitions) in [("purchase", 2), ("csat", 1), ("relay", 1), ("journal", 1)] {
            make(&format!("{}.{name}", self.app), partitions);
        }
    }

    fn place(&self, partition: Partition) -> (String, i32) {
        match partition {
            Partition::Input(kind, number) => (format!("{}.{}", self.app, kind.name()), number.cast_signed()),
            Partition::Relay => (format!("{}.relay", self.app), 0),
        }
    }

    fn open(&self) -> Kafka {
        let Self { app, bootstrap } = self;
        let text = format!(
            "app: {app}
kafka: {{ bootstrap.servers: \"{bootstrap}\", reconnect.backoff.max.ms: 200, topic.metadata.propagation.max.ms: 500 }}
tasks: 1
rules: rules.yaml
snapshots: off
inputs: {{ purchase: {{ topic: {app}.purchase }}, csat: {{ topic: {app}.csat }} }}"
        );
        let config = Config::parse("vipstream.yaml", &text, Path::new("."), []).unwrap();
        Kafka::open(&config, 0, Member::default()).unwrap()
    }

    /// Adds so many records, whose values count on from `first`.
    fn fill(&self, partition: Partition, first: u64, count: u64) {
        let producer = topics::producer(&self.bootstrap);
        let (topic, number) = self.place(partition);
        send(&producer, &topic, number, first..first + count);
        topics::flush(&producer);
    }

    fn writer(&self) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("transactional.id", kafka::unique("writer"));
        let writer: BaseProducer = config.create().unwrap();
        writer.init_transactions(WAIT).unwrap();
        writer
    }
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, values: std::ops::Range<u64>) {
    for n in values {
        let value = n.to_string();
        let mut record = BaseRecord::<[u8], str>::to(topic).payload(&value).partition(partition);
        while let Err((_, refused)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = refused;
        }
    }
}

/// What was handed over.
#[derive(Debug, Default)]
struct Seen {
    /// Offsets and the numbers in the values.
    records: BTreeMap<Partition, Vec<(u64, u64)>>,
    /// The newest end told, until something else is.
    ends: BTreeMap<Partition, u64>,
    lost: usize,
}

impl Seen {
    fn note(&mut self, partition: Partition, fetched: &Fetched<'_>) {
        match fetched {
            Fetched::Record { offset, raw } => {
                let number = std::str::from_utf8(raw.value.unwrap()).unwrap().parse().unwrap();
                self.records.entry(partition).or_default().push((*offset, number));
                self.ends.remove(&partition);
            }
            Fetched::AtEnd(offset) => {
                self.ends.insert(partition, *offset);
            }
            Fetched::Lost => {
                self.ends.remove(&partition);
                self.lost += 1;
            }
        }
    }

    fn offsets(&self, partition: Partition) -> Vec<u64> {
        self.records.get(&partition).into_iter().flatten().map(|(offset, _)| *offset).collect()
    }

    fn is_at(&self, ends: &[(Partition, u64)]) -> bool {
        ends.iter().all(|(partition, end)| self.ends.get(partition) == Some(end))
    }

    /// Fetches until this holds.
    fn fetch_until(&mut self, broker: &mut Kafka, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < WAIT, "{:?} lost {}", self.ends, self.lost);
            self.fetch(broker).unwrap();
        }
    }

    fn fetch(&mut self, broker: &mut Kafka) -> Result<(), BrokerError> {
        broker.fetch(Duration::from_millis(100), 1_000, &mut |partition, fetched| self.note(partition, &fetched))
    }
}

#[test]
fn a_record_comes_with_all_it_has() {
    let topics = Topics::make();
    let (topic, number) = topics.place(FIRST);
    let producer = topics::producer(&topics.bootstrap);
    let header = |key, value| Header { key, value };
    let headers = OwnedHeaders::new().insert(header("a", Some("1"))).insert(header("none", None::<&str>));
    let headers = headers.insert(header("a", Some("")));
    let record = BaseRecord::to(&topic).key("ann").payload("value").partition(number).timestamp(1_234).headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    topics::send(&producer, &topic, Some(number), None, None);
    topics::send(&producer, &topic, Some(number), Some(b""), Some(b""));
    topics::flush(&producer);

    let mut broker = topics.open();
    broker.read_from(&BTreeMap::from([(FIRST, 0)])).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let sink = &mut |_, fetched: Fetched<'_>| {
            if let Fetched::Record { offset, raw } = fetched {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let headers: Vec<_> = raw.headers.iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
                let is_timed = raw.timestamp.is_some_and(|at| at.0 == 1_234);
                seen.push((offset, raw.key.map(text), raw.value.map(text), headers.join(" "), is_timed));
            }
        };
        broker.fetch(Duration::from_millis(100), 1_000, sink).unwrap();
    }
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(seen[0], (0, some("ann"), some("value"), "a=1 a=".to_owned(), true));
    assert_eq!(seen[1], (1, None, None, String::new(), false));
    assert_eq!(seen[2], (2, some(""), some(""), String::new(), false));
}

#[test]
fn every_end_is_told_behind_markers_too_and_again_when_it_moves() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 3);
    let writer = topics.writer();
    let (topic, number) = topics.place(OTHER);
    for (values, is_committed) in [(0..2, true), (2..5, false)] {
        writer.begin_transaction().unwrap();
        send(&writer, &topic, number, values);
        topics::flush(&writer);
        let done = if is_committed { writer.commit_transaction(WAIT) } else { writer.abort_transaction(WAIT) };
        done.unwrap();
    }

    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0), (SECOND, 0), (OTHER, 0), (Partition::Relay, 0)])).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 3), (SECOND, 0), (OTHER, 7), (Partition::Relay, 0)]));
    assert_eq!(seen.offsets(FIRST), [0, 1, 2]);
    assert_eq!(seen.offsets(OTHER), [0, 1], "nothing of what was aborted");
    assert_eq!(broker.kept(OTHER).unwrap(), 0..7);

    topics.fill(SECOND, 0, 1);
    topics.fill(Partition::Relay, 0, 2);
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 3), (SECOND, 1), (OTHER, 7), (Partition::Relay, 2)]));
    assert_eq!(seen.lost, 0);
}

#[test]
fn what_is_not_committed_yet_is_beyond_the_end() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 2);
    let writer = topics.writer();
    let (topic, number) = topics.place(FIRST);
    writer.begin_transaction().unwrap();
    send(&writer, &topic, number, 2..4);
    topics::flush(&writer);

    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0)])).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 2)]));
    assert_eq!(broker.kept(FIRST).unwrap(), 0..2);
    writer.commit_transaction(WAIT).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 5)]));
    assert_eq!(seen.offsets(FIRST), [0, 1, 2, 3]);
}

#[test]
fn with_pauses_in_between_nothing_is_lost_and_nothing_comes_twice() {
    const EACH: u64 = 50_000;
    let topics = Topics::make();
    let all = [FIRST, SECOND, OTHER, Partition::Relay];
    for partition in all {
        topics.fill(partition, 0, EACH);
    }

    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&all.into_iter().map(|partition| (partition, 0)).collect()).unwrap();
    let begun = Instant::now();
    let mut random = 1_u64;
    let mut paused = BTreeMap::new();
    while !seen.is_at(&all.map(|partition| (partition, EACH))) {
        assert!(begun.elapsed() < WAIT, "{:?}", seen.ends);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let partition = all[usize::try_from(random >> 33).unwrap() % all.len()];
        let is_paused = (random >> 40).is_multiple_of(2);
        broker.pause(partition, is_paused).unwrap();
        paused.insert(partition, is_paused);
        let before: Vec<_> = all.iter().map(|partition| seen.offsets(*partition).len()).collect();
        seen.fetch(&mut broker).unwrap();
        for (partition, before) in all.iter().zip(before) {
            let is_paused = paused.get(partition) == Some(&true);
            assert!(!is_paused || seen.offsets(*partition).len() == before, "{partition:?} was paused");
        }
    }
    for partition in all {
        let records = &seen.records[&partition];
        assert!(records.iter().copied().eq((0..EACH).map(|n| (n, n))), "{partition:?}: {} records", records.len());
    }
}

#[test]
fn a_paused_partition_gives_nothing_until_resumed_and_then_all() {
    let topics = Topics::make();
    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0), (OTHER, 0)])).unwrap();
    broker.pause(FIRST, true).unwrap();
    topics.fill(FIRST, 0, 10);
    topics.fill(OTHER, 0, 10);
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(OTHER, 10)]));
    assert!(seen.offsets(FIRST).is_empty());
    assert_eq!(seen.ends.get(&FIRST), None);

    broker.pause(FIRST, false).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 10), (OTHER, 10)]));
    assert!(seen.offsets(FIRST).into_iter().eq(0..10));
}

#[test]
fn what_is_no_longer_kept_is_an_error_that_names_it() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 10);
    let (topic, number) = topics.place(FIRST);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, number, Offset::Offset(5)).unwrap();
    run(admin(&topics).delete_records(&list, &AdminOptions::new())).unwrap();

    for position in [4, 11] {
        let (mut broker, mut seen) = (topics.open(), Seen::default());
        assert_eq!(broker.kept(FIRST).unwrap(), 5..10);
        broker.read_from(&BTreeMap::from([(FIRST, position), (SECOND, 0)])).unwrap();
        let begun = Instant::now();
        let error = loop {
            assert!(begun.elapsed() < WAIT, "position {position}: no error");
            if let Err(error) = seen.fetch(&mut broker) {
                break error;
            }
        };
        assert!(
            matches!(&error, BrokerError::OutOfRange { topic: named, partition: 0, .. } if *named == topic),
            "position {position}: {error:?}"
        );
        assert!(seen.offsets(FIRST).is_empty());
    }
}

#[test]
fn other_positions_put_aside_whatever_was_fetched() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 20_000);
    topics.fill(SECOND, 0, 5);
    let mut broker = topics.open();
    for (from, second) in [(0, None), (19_990, Some(0)), (7, Some(2)), (19_995, None)] {
        let mut positions = BTreeMap::from([(FIRST, from)]);
        positions.extend(second.map(|from| (SECOND, from)));
        broker.read_from(&positions).unwrap();
        let mut seen = Seen::default();
        // Far from all of it, in the first and the third round.
        seen.fetch_until(&mut broker, |seen| !seen.offsets(FIRST).is_empty());
        if from > 19_000 {
            seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 20_000)]));
            assert!(seen.offsets(FIRST).into_iter().eq(from..20_000), "{:?}", seen.offsets(FIRST));
        }
        if let Some(from) = second {
            seen.fetch_until(&mut broker, |seen| seen.is_at(&[(SECOND, 5)]));
            assert!(seen.offsets(SECOND).into_iter().eq(from..5));
        } else {
            assert!(seen.offsets(SECOND).is_empty());
        }
        assert_eq!(seen.offsets(FIRST)[0], from);
    }
}

#[test]
fn the_journal_is_read_to_its_end_without_what_was_aborted() {
    let topics = Topics::make();
    let journal = format!("{}.journal", topics.app);
    let writer = topics.writer();
    for (values, is_committed) in [(0..2, true), (2..4, false), (4..5, true)] {
        writer.begin_transaction().unwrap();
        send(&writer, &journal, 0, values);
        topics::flush(&writer);
        let done = if is_committed { writer.commit_transaction(WAIT) } else { writer.abort_transaction(WAIT) };
        done.unwrap();
    }
    writer.begin_transaction().unwrap();
    send(&writer, &journal, 0, 5..6);
    topics::flush(&writer);

    let mut broker = topics.open();
    let range = broker.journal_range().unwrap();
    assert_eq!(range, 0..9, "records, markers and what is still open");
    writer.abort_transaction(WAIT).unwrap();
    let mut read = |range| {
        let mut seen = Vec::new();
        broker
            .journal(range, &mut |offset, value| seen.push((offset, String::from_utf8_lossy(value).into_owned())))
            .unwrap();
        seen.into_iter().map(|(offset, value)| format!("{offset}:{value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(range), "0:0 1:1 6:4");
    assert_eq!(read(1..6), "1:1");
    assert_eq!(read(3..3), "");
}

#[test]
fn the_journal_can_be_read_while_inputs_are() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 5_000);
    let journal = format!("{}.journal", topics.app);
    let producer = topics::producer(&topics.bootstrap);
    send(&producer, &journal, 0, 0..2_500);
    topics::flush(&producer);

    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0)])).unwrap();
    seen.fetch_until(&mut broker, |seen| !seen.records.is_empty());
    let mut count = 0;
    broker.journal(0..2_500, &mut |_, _| count += 1).unwrap();
    assert_eq!(count, 2_500);
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 5_000)]));
    assert!(seen.offsets(FIRST).into_iter().eq(0..5_000));
}

#[test]
fn a_topic_made_anew_is_not_taken_for_the_old_one() {
    let topics = Topics::make();
    topics.fill(FIRST, 0, 10);
    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0)])).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 10)]));

    let (topic, _) = topics.place(FIRST);
    run(admin(&topics).delete_topics(&[&topic], &AdminOptions::new())).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.lost > 0);
    topics::create(&topics.bootstrap, &topic, 2);
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < WAIT, "no error");
        if let Err(error) = seen.fetch(&mut broker) {
            break error;
        }
    };
    assert!(matches!(error, BrokerError::OutOfRange { .. }), "{error:?}");
}

#[test]
fn an_end_is_doubted_while_the_broker_is_away_and_told_again_when_it_is_back() {
    let (cluster, topics) = embedded();
    topics.fill(FIRST, 0, 3);
    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0), (OTHER, 0)])).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 3), (OTHER, 0)]));

    for round in 1..=2 {
        cluster.broker_down(1).unwrap();
        seen.fetch_until(&mut broker, |seen| seen.ends.is_empty());
        assert!(seen.lost >= 2 * round);
        cluster.broker_up(1).unwrap();
        seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 3), (OTHER, 0)]));
    }
    topics.fill(FIRST, 3, 2);
    topics.fill(OTHER, 0, 1);
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 5), (OTHER, 1)]));
    assert!(seen.offsets(FIRST).into_iter().eq(0..5), "nothing lost, nothing twice");
}

#[test]
fn an_end_heard_before_the_broker_went_away_is_not_told_after() {
    let (cluster, topics) = embedded();
    topics.fill(FIRST, 0, 3);
    let (mut broker, mut seen) = (topics.open(), Seen::default());
    broker.read_from(&BTreeMap::from([(FIRST, 0), (OTHER, 0)])).unwrap();
    broker.pause(FIRST, true).unwrap();
    // Two rounds of all partitions bring the records and the end of the paused one.
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(OTHER, 0)]));
    topics.fill(OTHER, 0, 1);
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(OTHER, 1)]));

    cluster.broker_down(1).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.lost > 0);
    broker.pause(FIRST, false).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.offsets(FIRST).len() == 3);
    seen.fetch(&mut broker).unwrap();
    assert!(seen.ends.is_empty());
    cluster.broker_up(1).unwrap();
    seen.fetch_until(&mut broker, |seen| seen.is_at(&[(FIRST, 3), (OTHER, 1)]));
    assert!(seen.offsets(FIRST).into_iter().eq(0..3));
}

/// The client library's own broker, which can be taken away.
fn embedded() -> (MockCluster<'static, DefaultProducerContext>, Topics) {
    let cluster = MockCluster::new(1).unwrap();
    let topics = Topics { app: "lost".to_owned(), bootstrap: cluster.bootstrap_servers() };
    topics.each(|topic, partitions| cluster.create_topic(topic, partitions, 1).unwrap());
    (cluster, topics)
}

fn admin(topics: &Topics) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &topics.bootstrap).create().unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// How long anything may take before a test gives up on it.
const WAIT: Duration = Duration::from_mins(5);
