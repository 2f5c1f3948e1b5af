//! Looking at a few records of a topic, beside whoever reads it: no group notices.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use rdkafka::{Offset, TopicPartitionList};

use super::cluster::{Cluster, ClusterError};
use super::connection::{ANSWER, Context, is_denial, reader};
use super::consumer::{signed, unsigned, unsigned_partition};
use crate::clock;
use crate::codec::RawRecord;
use crate::model::time::EventTime;

impl Cluster {
    /// Hands over the newest committed records of a topic, at most about `most`, spread over its partitions. Says
    /// how many there are in all, markers included.
    ///
    /// # Errors
    /// The broker did not answer, or does not allow it.
    pub fn newest(
        &self,
        topic: &str,
        partitions: u32,
        most: u32,
        sink: &mut dyn FnMut(u32, &RawRecord<'_>),
    ) -> Result<u64, ClusterError> {
        let share = u64::from(most.div_ceil(partitions.max(1)));
        let mut ranges = BTreeMap::new();
        let mut count = 0;
        for partition in 0..partitions {
            let kept = self.offsets(topic, partition)?;
            count += kept.end.saturating_sub(kept.start);
            ranges.insert(partition, kept.end.saturating_sub(share).max(kept.start)..kept.end);
        }
        self.read(topic, &ranges, &mut |partition, record| {
            with_raw(record, |raw| sink(partition, raw));
            true
        })?;
        Ok(count)
    }

    /// Kafka's time of the first record from an offset on; `None` where there is none yet.
    ///
    /// # Errors
    /// The broker did not answer, or does not allow it.
    pub fn time_of(&self, topic: &str, partition: u32, range: Range<u64>) -> Result<Option<EventTime>, ClusterError> {
        let mut found = None;
        self.read(topic, &[(partition, range)].into(), &mut |_, record| {
            found = found.or(record.timestamp().to_millis().map(EventTime));
            false
        })?;
        Ok(found)
    }

    /// Reads committed records of these ranges, as long as the sink asks for more.
    fn read(
        &self,
        topic: &str,
        ranges: &BTreeMap<u32, Range<u64>>,
        sink: &mut dyn FnMut(u32, &BorrowedMessage<'_>) -> bool,
    ) -> Result<(), ClusterError> {
        let failed = |error: &KafkaError| failed(topic, error);
        let mut open: BTreeSet<u32> =
            ranges.iter().filter(|(_, range)| !range.is_empty()).map(|(partition, _)| *partition).collect();
        let mut list = TopicPartitionList::new();
        for partition in &open {
            let start = Offset::Offset(i64::try_from(ranges[partition].start).unwrap_or(i64::MAX));
            list.add_partition_offset(topic, signed(*partition), start).map_err(|error| failed(&error))?;
        }
        let client: BaseConsumer<Context> = reader(&self.properties)
            .set("group.id", &self.group)
            .create_with_context(Context::default())
            .map_err(ClusterError::Client)?;
        client.assign(&list).map_err(|error| failed(&error))?;
        let started = clock::now();
        while !open.is_empty() {
            match client.poll(POLL) {
                Some(Ok(record)) => {
                    let partition = unsigned_partition(record.partition());
                    let next = unsigned(record.offset()) + 1;
                    let Some(range) = ranges.get(&partition) else { continue };
                    if next <= range.end && !sink(partition, &record) {
                        return Ok(());
                    }
                    if next >= range.end {
                        open.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&unsigned_partition(partition));
                }
                Some(Err(error)) => match error.rdkafka_error_code() {
                    // Retention has moved on meanwhile.
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => return Ok(()),
                    Some(code) if is_denial(code) => return Err(failed(&error)),
                    _ => {}
                },
                None => {}
            }
            if started.elapsed() > ANSWER {
                let reason = "its newest records did not come".to_owned();
                return Err(ClusterError::Ask { topic: topic.to_owned(), reason });
            }
        }
        Ok(())
    }
}

fn failed(topic: &str, error: &KafkaError) -> ClusterError {
    if error.rdkafka_error_code().is_some_and(is_denial) {
        let (what, allow) = (format!("read topic {topic}"), format!("Read on topic {topic}"));
        return ClusterError::Denied { what, allow };
    }
    ClusterError::Ask { topic: topic.to_owned(), reason: error.to_string() }
}

fn with_raw(record: &BorrowedMessage<'_>, use_it: impl FnOnce(&RawRecord<'_>)) {
    let headers: Vec<(&str, &[u8])> = record
        .headers()
        .map(|headers| headers.iter().filter_map(|header| Some((header.key, header.value?))).collect())
        .unwrap_or_default();
    let timestamp = match record.timestamp() {
        Timestamp::CreateTime(at) | Timestamp::LogAppendTime(at) => Some(EventTime(at)),
        Timestamp::NotAvailable => None,
    };
    use_it(&RawRecord { key: record.key(), value: record.payload(), headers: &headers, timestamp });
}

const POLL: Duration = Duration::from_millis(100);
