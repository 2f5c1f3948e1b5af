//! Reading one input: an assign-only consumer that keeps its own positions.
//!
//! One consumer an input, since the library's end-of-partition event names the partition but not the topic.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{ANSWER, Context, consumer, failed, is_denial};
use super::{BrokerError, Fetched};
use crate::codec::RawRecord;
use crate::config::Properties;
use crate::model::time::EventTime;

/// Rung by the library when a consumer has something to hand over.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits until rung, at most so long.
    pub(super) fn wait(&self, at_most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.changed.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// The partitions of one topic that a task reads.
pub(super) struct Reader {
    topic: String,
    consumer: BaseConsumer<Context>,
    /// The next offset of each partition read.
    positions: BTreeMap<u32, u64>,
    paused: BTreeSet<u32>,
    /// Contact was lost: the partitions are assigned anew, so that their ends are told again.
    lost: bool,
}

impl Reader {
    pub(super) fn open(
        properties: &Properties,
        group: &str,
        topic: &str,
        bell: &Arc<Bell>,
    ) -> Result<Self, KafkaError> {
        let mut client: BaseConsumer<Context> = consumer(properties, group).create_with_context(Context::default())?;
        let bell = Arc::clone(bell);
        client.set_nonempty_callback(move || bell.ring());
        Ok(Self {
            topic: topic.to_owned(),
            consumer: client,
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            lost: false,
        })
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    pub(super) fn kept(&self, partition: u32) -> Result<Range<u64>, BrokerError> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(&self.topic, signed(partition), ANSWER)
            .map_err(|error| failed(&format!("asking for the offsets of {}", self.topic), &error))?;
        Ok(unsigned(low)..unsigned(high))
    }

    pub(super) fn read_from(&mut self, positions: BTreeMap<u32, u64>) -> Result<(), BrokerError> {
        self.positions = positions;
        self.paused.clear();
        self.assign()
    }

    fn assign(&mut self) -> Result<(), BrokerError> {
        self.lost = false;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &self.positions {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            list.add_partition_offset(&self.topic, signed(*partition), offset)
                .map_err(|error| failed(&format!("reading {}", self.topic), &error))?;
        }
        self.consumer.assign(&list).map_err(|error| failed(&format!("reading {}", self.topic), &error))?;
        // An assignment starts with every partition flowing.
        self.paused.iter().try_for_each(|partition| self.set_paused(*partition, true))
    }

    pub(super) fn pause(&mut self, partition: u32, paused: bool) -> Result<(), BrokerError> {
        if paused {
            self.paused.insert(partition);
        } else {
            self.paused.remove(&partition);
        }
        self.set_paused(partition, paused)
    }

    fn set_paused(&self, partition: u32, paused: bool) -> Result<(), BrokerError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, signed(partition));
        let done = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.map_err(|error| failed(&format!("pausing {}", self.topic), &error))
    }

    /// Hands over what the library holds, at most `most` records; says how many.
    pub(super) fn drain(&mut self, most: usize, sink: &mut dyn FnMut(u32, Fetched<'_>)) -> Result<usize, BrokerError> {
        let mut count = 0;
        while count < most {
            match self.consumer.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    count += 1;
                    let partition = unsigned_partition(message.partition());
                    self.positions.insert(partition, unsigned(message.offset()) + 1);
                    hand_over(&message, partition, sink);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    let partition = unsigned_partition(partition);
                    let position = self.positions.get(&partition).copied().unwrap_or_default();
                    sink(partition, Fetched::AtEnd(position));
                }
                Some(Err(error)) => self.note(&error, sink)?,
            }
        }
        Ok(count)
    }

    /// Assigns the partitions anew if contact was lost since.
    pub(super) fn resume(&mut self) -> Result<(), BrokerError> {
        if self.lost { self.assign() } else { Ok(()) }
    }

    fn note(&mut self, error: &KafkaError, sink: &mut dyn FnMut(u32, Fetched<'_>)) -> Result<(), BrokerError> {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)) {
            let partition = self.positions.keys().find(|partition| !self.holds(**partition)).copied();
            return Err(BrokerError::OutOfRange {
                topic: self.topic.clone(),
                partition: partition.unwrap_or_default(),
            });
        }
        if code.is_some_and(is_denial) {
            return Err(failed(&format!("reading {}", self.topic), error));
        }
        tracing::debug!(target: "vipstream::kafka", topic = self.topic, %error, "lost contact");
        self.lost = true;
        for partition in self.positions.keys() {
            sink(*partition, Fetched::Lost);
        }
        Ok(())
    }

    fn holds(&self, partition: u32) -> bool {
        let position = self.positions.get(&partition).copied().unwrap_or_default();
        self.kept(partition).is_ok_and(|kept| kept.start <= position && position <= kept.end)
    }
}

fn hand_over(message: &BorrowedMessage<'_>, partition: u32, sink: &mut dyn FnMut(u32, Fetched<'_>)) {
    let headers: Vec<(&str, &[u8])> = message
        .headers()
        .map(|headers| headers.iter().filter_map(|header| Some((header.key, header.value?))).collect())
        .unwrap_or_default();
    let timestamp = match message.timestamp() {
        Timestamp::CreateTime(at) | Timestamp::LogAppendTime(at) => Some(EventTime(at)),
        Timestamp::NotAvailable => None,
    };
    let raw = RawRecord { key: message.key(), value: message.payload(), headers: &headers, timestamp };
    sink(partition, Fetched::Record { offset: unsigned(message.offset()), raw });
}

/// The library counts partitions with a sign, which only its own placeholders use.
pub(super) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

pub(super) fn unsigned_partition(partition: i32) -> u32 {
    u32::try_from(partition).unwrap_or_default()
}

pub(super) fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}
