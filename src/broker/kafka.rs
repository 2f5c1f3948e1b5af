//! The broker as Apache Kafka: one task's readers, journal and transactions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{ANSWER, Context, client, consumer, failed};
use super::consumer::{Bell, Reader, signed, unsigned};
use super::transaction::Transactions;
use super::{Broker, BrokerError, Committed, Fetched, Outgoing, Partition, Refusal, offsets};
use crate::clock;
use crate::config::{Config, Properties};
use crate::model::event::Kind;

/// One task's connection.
pub struct Kafka {
    properties: Properties,
    group: String,
    journal: String,
    partition: u32,
    bell: Arc<Bell>,
    /// By input; the relay's is that of no kind.
    readers: BTreeMap<Option<Kind>, Reader>,
    transactions: Option<Transactions>,
}

impl Kafka {
    /// Makes the clients of task `partition`. Connecting goes on by itself.
    ///
    /// # Errors
    /// A property that the library refuses.
    pub fn open(config: &Config, partition: u32) -> Result<Self, BrokerError> {
        let bell = Arc::new(Bell::default());
        let mut readers = BTreeMap::new();
        let relay = config.relay();
        let inputs = config.inputs.iter().map(|(kind, topic)| (Some(*kind), topic));
        for (kind, topic) in inputs.chain([(None, &relay)]) {
            let reader = Reader::open(&config.kafka, &config.app, topic, &bell)
                .map_err(|error| failed(&format!("reading {topic}"), &error))?;
            readers.insert(kind, reader);
        }
        Ok(Self {
            properties: config.kafka.clone(),
            group: config.app.clone(),
            journal: config.journal(),
            partition,
            bell,
            readers,
            transactions: None,
        })
    }

    /// The reader of a partition, and the partition's number.
    fn reader(&mut self, partition: Partition) -> (&mut Reader, u32) {
        let (kind, number) = self.place(partition);
        (self.readers.get_mut(&kind).expect("only configured inputs have partitions"), number)
    }

    fn place(&self, partition: Partition) -> (Option<Kind>, u32) {
        match partition {
            Partition::Input(kind, number) => (Some(kind), number),
            Partition::Relay => (None, self.partition),
        }
    }

    /// The topic of a partition, and the partition's number there.
    fn topic_of(&self, partition: Partition) -> (&str, u32) {
        let (kind, number) = self.place(partition);
        (self.readers.get(&kind).map_or("", Reader::topic), number)
    }

    fn transactions(&self) -> Result<&Transactions, Refusal> {
        self.transactions.as_ref().ok_or_else(|| Refusal::Unknown("there is no producer".to_owned()))
    }

    /// Hands over what the readers hold; says how many records.
    fn drain(&mut self, most: usize, sink: &mut dyn FnMut(Partition, Fetched<'_>)) -> Result<usize, BrokerError> {
        // Each reader gets its share, so that a backlog on one input does not starve the others.
        let share = (most / self.readers.len().max(1)).max(1);
        let mut count = 0;
        for (kind, reader) in &mut self.readers {
            let partition = |number| kind.map_or(Partition::Relay, |kind| Partition::Input(kind, number));
            count += reader.drain(share, &mut |number, fetched| sink(partition(number), fetched))?;
        }
        Ok(count)
    }
}

impl Broker for Kafka {
    fn kept(&mut self, partition: Partition) -> Result<Range<u64>, BrokerError> {
        let (reader, number) = self.reader(partition);
        reader.kept(number)
    }

    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), BrokerError> {
        let mut by_reader: BTreeMap<Option<Kind>, BTreeMap<u32, u64>> = BTreeMap::new();
        for (partition, offset) in positions {
            let (kind, number) = self.place(*partition);
            by_reader.entry(kind).or_default().insert(number, *offset);
        }
        for (kind, reader) in &mut self.readers {
            reader.read_from(by_reader.remove(kind).unwrap_or_default())?;
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        wait: Duration,
        most: usize,
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<(), BrokerError> {
        for reader in self.readers.values_mut() {
            reader.resume()?;
        }
        if self.drain(most, sink)? == 0 && !wait.is_zero() {
            self.bell.wait(wait);
            self.drain(most, sink)?;
        }
        Ok(())
    }

    fn pause(&mut self, partition: Partition, paused: bool) -> Result<(), BrokerError> {
        let (reader, number) = self.reader(partition);
        reader.pause(number, paused)
    }

    fn init(&mut self) -> Result<(), Refusal> {
        self.transactions = None;
        let id = format!("{}-{}", self.group, self.partition);
        self.transactions = Some(Transactions::init(&self.properties, &id)?);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Refusal> {
        self.transactions()?.begin()
    }

    fn produce(&mut self, record: &Outgoing) -> Result<(), Refusal> {
        self.transactions()?.produce(record)
    }

    fn offsets(&mut self, positions: &BTreeMap<Partition, u64>, metadata: &str) -> Result<(), Refusal> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in positions {
            let (kind, number) = self.place(*partition);
            let Some(reader) = self.readers.get(&kind) else { continue };
            let mut element = list.add_partition(reader.topic(), signed(number));
            element
                .set_offset(Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX)))
                .map_err(|error| Refusal::Abortable(error.to_string()))?;
            element.set_metadata(metadata);
        }
        let group = self.readers.values().next().and_then(|reader| reader.consumer().group_metadata());
        let group = group.ok_or_else(|| Refusal::Denied("the consumer has no group".to_owned()))?;
        self.transactions()?.offsets(&list, &group)
    }

    fn commit(&mut self) -> Result<(), Refusal> {
        self.transactions()?.commit()
    }

    fn abort(&mut self) -> Result<(), Refusal> {
        self.transactions()?.abort()
    }

    fn committed(&mut self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, BrokerError> {
        let places: Vec<(&str, u32)> = partitions.iter().map(|partition| self.topic_of(*partition)).collect();
        let found = offsets::committed(&self.properties, &self.group, &places, true)
            .map_err(|error| failed(&format!("asking for the offsets of group {}", self.group), &error))?;
        let found = partitions.iter().zip(found);
        Ok(found.filter_map(|(partition, committed)| Some((*partition, committed?))).collect())
    }

    fn journal_range(&mut self) -> Result<Range<u64>, BrokerError> {
        // Uncommitted: the watermark itself, not the last stable offset, tells how far to read.
        let config =
            client(&self.properties, &[], &[("group.id", &self.group), ("isolation.level", "read_uncommitted")]);
        let asking = format!("asking for the end of {}", self.journal);
        let watermarks = config
            .create_with_context::<_, BaseConsumer<Context>>(Context::default())
            .and_then(|client| client.fetch_watermarks(&self.journal, signed(self.partition), ANSWER));
        let (low, high) = watermarks.map_err(|error| failed(&asking, &error))?;
        Ok(unsigned(low)..unsigned(high))
    }

    fn journal(&mut self, range: Range<u64>, sink: &mut dyn FnMut(u64, &[u8])) -> Result<(), BrokerError> {
        if range.is_empty() {
            return Ok(());
        }
        let reading = format!("reading {} partition {}", self.journal, self.partition);
        let client: BaseConsumer<Context> = consumer(&self.properties, &self.group)
            .create_with_context(Context::default())
            .map_err(|error| failed(&reading, &error))?;
        let mut list = TopicPartitionList::new();
        let start = Offset::Offset(i64::try_from(range.start).unwrap_or(i64::MAX));
        list.add_partition_offset(&self.journal, signed(self.partition), start)
            .and_then(|()| client.assign(&list))
            .map_err(|error| failed(&reading, &error))?;
        let mut heard = clock::now();
        loop {
            match client.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    heard = clock::now();
                    let offset = unsigned(record.offset());
                    if offset < range.end {
                        sink(offset, record.payload().unwrap_or_default());
                    }
                    if offset + 1 >= range.end {
                        return Ok(());
                    }
                }
                // The end of what is stable; beyond it lie markers or a transaction still open.
                Some(Err(KafkaError::PartitionEOF(_))) if is_through(&client, range.end) => return Ok(()),
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => return Err(failed(&reading, &error)),
            }
            if heard.elapsed() > JOURNAL_SILENCE {
                return Err(BrokerError::Failed { what: reading, reason: "its end was not reached".to_owned() });
            }
        }
    }
}

/// Whether the position, which counts markers too, has passed everything below `end`.
fn is_through(client: &BaseConsumer<Context>, end: u64) -> bool {
    let reached = client.position().ok().and_then(|list| match list.elements().first()?.offset() {
        Offset::Offset(offset) => Some(unsigned(offset)),
        _ => None,
    });
    reached.is_some_and(|reached| reached >= end)
}

/// How long the journal may stay silent before reading it has failed: a transaction left open by a killed task of
/// another name would end within its time-out, 10 s.
const JOURNAL_SILENCE: Duration = Duration::from_secs(20);
