//! The broker as Apache Kafka: one task's readers, journal and transactions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{ANSWER, Context, client, failed, reader};
use super::consumer::{Reader, Reading, kept, signed, unsigned};
use super::group::Member;
use super::queue::Client;
use super::transaction::Transactions;
use super::{Broker, BrokerError, Committed, Fetched, Outgoing, Partition, Refusal, offsets};
use crate::clock;
use crate::config::{Config, Properties};
use crate::model::event::Kind;

/// One task's connection.
pub struct Kafka {
    properties: Properties,
    group: String,
    inputs: BTreeMap<Kind, String>,
    journal: String,
    relay: String,
    partition: u32,
    /// Reads everything, the journal too.
    client: Arc<Client>,
    reader: Reader<Partition>,
    transactions: Option<Transactions>,
    member: Member,
}

impl Kafka {
    /// Makes the clients of task `partition`, whose positions are committed in the name of `member`. Connecting goes on
    /// by itself.
    ///
    /// # Errors
    /// A property that the library refuses.
    pub fn open(config: &Config, partition: u32, member: Member) -> Result<Self, BrokerError> {
        let opened = reader(&config.kafka).create_with_context(Context::default());
        let client: Arc<Client> = Arc::new(opened.map_err(|error| failed("reading", &error))?);
        Ok(Self {
            properties: config.kafka.clone(),
            group: config.app.clone(),
            inputs: config.inputs.clone(),
            journal: config.journal(),
            relay: config.relay(),
            partition,
            reader: Reader::new(Arc::clone(&client)),
            client,
            transactions: None,
            member,
        })
    }

    /// The topic of a partition, and its number there.
    fn place(&self, partition: Partition) -> (&str, u32) {
        match partition {
            Partition::Input(kind, number) => (&self.inputs[&kind], number),
            Partition::Relay => (&self.relay, self.partition),
        }
    }

    fn transactions(&self) -> Result<&Transactions, Refusal> {
        self.transactions.as_ref().ok_or_else(|| Refusal::Unknown("there is no producer".to_owned()))
    }
}

impl Broker for Kafka {
    fn kept(&mut self, partition: Partition) -> Result<Range<u64>, BrokerError> {
        let (topic, number) = self.place(partition);
        kept(&self.client, topic, number)
    }

    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), BrokerError> {
        let reading = |(partition, position): (&Partition, &u64)| {
            let (topic, number) = self.place(*partition);
            (*partition, Reading::new(topic, number, *position))
        };
        let readings: Vec<_> = positions.iter().map(reading).collect();
        self.reader.read_from(readings)
    }

    fn fetch(
        &mut self,
        wait: Duration,
        most: usize,
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<(), BrokerError> {
        self.reader.fetch(wait, most, sink)
    }

    fn pause(&mut self, partition: Partition, paused: bool) -> Result<(), BrokerError> {
        self.reader.pause(partition, paused);
        Ok(())
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
            let (topic, number) = self.place(*partition);
            let mut element = list.add_partition(topic, signed(number));
            element
                .set_offset(Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX)))
                .map_err(|error| Refusal::Abortable(error.to_string()))?;
            element.set_metadata(metadata);
        }
        // Asked for anew each time: the generation changes while the task goes on.
        let group = self.member.metadata().ok_or_else(|| Refusal::Abortable("the group was left".to_owned()))?;
        self.transactions()?.offsets(&list, &group)
    }

    fn commit(&mut self) -> Result<(), Refusal> {
        self.transactions()?.commit()
    }

    fn abort(&mut self) -> Result<(), Refusal> {
        self.transactions()?.abort()
    }

    fn committed(&mut self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, BrokerError> {
        let places: Vec<(&str, u32)> = partitions.iter().map(|partition| self.place(*partition)).collect();
        let found = offsets::committed(&self.properties, &self.group, &places, true)
            .map_err(|error| failed(&format!("asking for the offsets of group {}", self.group), &error))?;
        let found = partitions.iter().zip(found);
        Ok(found.filter_map(|(partition, committed)| Some((*partition, committed?))).collect())
    }

    fn journal_range(&mut self) -> Result<Range<u64>, BrokerError> {
        // Uncommitted: the watermark itself, not the last stable offset, tells how far to read.
        let config = client(&self.properties, &[], &[("isolation.level", "read_uncommitted")]);
        let asking = format!("asking for the end of {}", self.journal);
        let watermarks = config
            .create_with_context::<_, BaseConsumer<Context>>(Context::default())
            .and_then(|client| client.fetch_watermarks(&self.journal, signed(self.partition), ANSWER));
        let (low, high) = watermarks.map_err(|error| failed(&asking, &error))?;
        Ok(unsigned(low)..unsigned(high))
    }

    fn journal(&mut self, range: Range<u64>, sink: &mut dyn FnMut(u64, &[u8])) -> Result<(), BrokerError> {
        let mut reader = Reader::new(Arc::clone(&self.client));
        reader.read_from([((), Reading::new(&self.journal, self.partition, range.start))])?;
        let mut reached = range.start;
        let mut heard = clock::now();
        while reached < range.end {
            let before = reached;
            reader.fetch(JOURNAL_WAIT, JOURNAL_RECORDS, &mut |(), fetched| match fetched {
                Fetched::Record { offset, raw } => {
                    if offset < range.end {
                        sink(offset, raw.value.unwrap_or_default());
                    }
                    reached = offset + 1;
                }
                // The end of what is stable; beyond it lie markers or a transaction still open.
                Fetched::AtEnd(offset) => reached = reached.max(offset),
                Fetched::Lost => {}
            })?;
            if reached > before {
                heard = clock::now();
            } else if heard.elapsed() > JOURNAL_SILENCE {
                let what = format!("reading {} partition {}", self.journal, self.partition);
                return Err(BrokerError::Failed { what, reason: "its end was not reached".to_owned() });
            }
        }
        Ok(())
    }
}

/// How long the journal may stay silent before reading it has failed: a transaction left open by a killed task of
/// another name would end within its time-out, 10 s.
const JOURNAL_SILENCE: Duration = Duration::from_secs(20);

const JOURNAL_WAIT: Duration = Duration::from_millis(100);
const JOURNAL_RECORDS: usize = 1_000;
