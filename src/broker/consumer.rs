//! Reading partitions: positions of our own, ends, pauses, and what to do when contact is lost.
//!
//! One client reads all partitions of a task. Where a partition's stream must start anew it is dropped, and the next
//! fetch starts it at its position.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::connection::{ANSWER, failed, is_denial};
use super::queue::{Bell, Client, Stream, Taken};
use super::{BrokerError, Fetched};

/// Reads partitions, each known to the caller by a key.
pub(super) struct Reader<K> {
    client: Arc<Client>,
    bell: Arc<Bell>,
    readings: BTreeMap<K, Reading>,
    /// How many errors the client had reported when this was last looked at.
    errors: u64,
}

/// A partition that is read, and how far.
pub(super) struct Reading {
    topic: String,
    partition: u32,
    /// Everything below was handed over or is no record.
    position: u64,
    stream: Option<Stream>,
    paused: bool,
    at_end: bool,
    /// Contact was lost meanwhile: an end that the library tells may be of before.
    doubted: bool,
}

impl Reading {
    pub(super) fn new(topic: &str, partition: u32, position: u64) -> Self {
        let topic = topic.to_owned();
        Self { topic, partition, position, stream: None, paused: false, at_end: false, doubted: false }
    }

    fn start(&mut self, client: &Arc<Client>, bell: &Arc<Bell>) -> Result<(), BrokerError> {
        let stream = Stream::start(client, &self.topic, self.partition, self.position, bell);
        self.stream = Some(stream.map_err(|error| self.failed(&error))?);
        (self.at_end, self.doubted) = (false, false);
        Ok(())
    }

    /// Hands over what has arrived, at most `most` records. Says how much there was, and why the library could not go
    /// on.
    fn drain(&mut self, most: usize, sink: &mut dyn FnMut(Fetched<'_>)) -> (usize, Option<RDKafkaErrorCode>) {
        let Some(stream) = &mut self.stream else { return (0, None) };
        let mut failure = None;
        let mut is_stale = false;
        let batch = stream.take(most);
        let count = batch.len();
        batch.for_each(|taken| match taken {
            Taken::Record { offset, raw } => {
                self.position = offset + 1;
                self.at_end = false;
                sink(Fetched::Record { offset, raw });
            }
            Taken::End(_) if self.doubted => is_stale = true,
            Taken::End(offset) => {
                self.position = self.position.max(offset);
                self.at_end = true;
                sink(Fetched::AtEnd(offset));
            }
            Taken::Failed(code) => failure = Some(code),
        });
        drop(batch);
        // Told here rather than by the next fetch, which other partitions wait for.
        let emptied = (1..most).contains(&count) && failure.is_none() && !self.doubted && !self.at_end;
        if emptied && stream.known_end().is_some_and(|end| self.position >= end) {
            self.at_end = true;
            sink(Fetched::AtEnd(self.position));
        }
        if is_stale {
            self.stream = None;
        }
        (count, failure)
    }

    /// Whether this is the end is no longer known. The library tells an end once: where it has, it must be asked anew.
    fn lose(&mut self) {
        if self.at_end {
            self.stream = None;
        }
        (self.at_end, self.doubted) = (false, true);
    }

    /// Takes notice of what the library could not do for this partition.
    fn fail(&mut self, client: &Client, code: RDKafkaErrorCode) -> Result<(), BrokerError> {
        tracing::debug!(target: "vipstream::kafka", topic = self.topic, partition = self.partition, %code, "cannot be read");
        if is_denial(code) {
            return Err(self.failed(&KafkaError::MessageConsumption(code)));
        }
        if matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) {
            let kept = kept(client, &self.topic, self.partition);
            if let Ok(kept) = kept
                && !(kept.start..=kept.end).contains(&self.position)
            {
                let (topic, partition, position) = (self.topic.clone(), self.partition, self.position);
                return Err(BrokerError::OutOfRange { topic, partition, position, kept });
            }
            // Not out of range, or not to be known now: the library has given up, so it is asked again.
            self.stream = None;
        }
        self.lose();
        Ok(())
    }

    fn failed(&self, error: &KafkaError) -> BrokerError {
        failed(&format!("reading {} partition {}", self.topic, self.partition), error)
    }
}

impl<K: Copy + Ord> Reader<K> {
    pub(super) fn new(client: Arc<Client>) -> Self {
        let errors = client.context().errors();
        Self { client, bell: Arc::default(), readings: BTreeMap::new(), errors }
    }

    /// Reads these partitions, and nothing else from now on.
    pub(super) fn read_from(&mut self, readings: impl IntoIterator<Item = (K, Reading)>) -> Result<(), BrokerError> {
        // All end before one starts: a partition may be among the old and the new.
        self.readings.clear();
        self.readings.extend(readings);
        self.start()
    }

    /// Starts what is not being read.
    fn start(&mut self) -> Result<(), BrokerError> {
        let mut idle = self.readings.values_mut().filter(|reading| reading.stream.is_none());
        idle.try_for_each(|reading| reading.start(&self.client, &self.bell))
    }

    /// Holds a partition's records back, or no longer.
    pub(super) fn pause(&mut self, key: K, paused: bool) {
        if let Some(reading) = self.readings.get_mut(&key) {
            reading.paused = paused;
        }
    }

    /// Hands over what has arrived, at most about `most` records; waits for the first at most so long.
    pub(super) fn fetch(
        &mut self,
        wait: Duration,
        most: usize,
        sink: &mut dyn FnMut(K, Fetched<'_>),
    ) -> Result<(), BrokerError> {
        self.heed_errors(sink)?;
        self.start()?;
        if self.drain(most, sink)? == 0 && !wait.is_zero() {
            self.bell.wait(wait.min(LONGEST_WAIT));
            self.drain(most, sink)?;
        }
        Ok(())
    }

    /// Learns of lost contact. The client's events reach its context by polling it: errors, its log, tokens to renew.
    fn heed_errors(&mut self, sink: &mut dyn FnMut(K, Fetched<'_>)) -> Result<(), BrokerError> {
        while self.client.poll(Duration::ZERO).is_some() {}
        let context = self.client.context();
        let errors = context.errors();
        if std::mem::replace(&mut self.errors, errors) == errors {
            return Ok(());
        }
        if let Some((code, reason)) = context.last_error()
            && is_denial(code)
        {
            return Err(BrokerError::Denied { what: "reading".to_owned(), reason });
        }
        for (key, reading) in &mut self.readings {
            reading.lose();
            sink(*key, Fetched::Lost);
        }
        Ok(())
    }

    /// Hands over what has arrived, at most about `most` records; says how much.
    fn drain(&mut self, most: usize, sink: &mut dyn FnMut(K, Fetched<'_>)) -> Result<usize, BrokerError> {
        // Each has its share, so that a backlog of one does not starve the others.
        let share = (most / self.readings.len().max(1)).clamp(1, BATCH);
        let mut total = 0;
        let mut is_more = true;
        while is_more && total < most {
            is_more = false;
            for (key, reading) in self.readings.iter_mut().filter(|(_, reading)| !reading.paused) {
                let (count, failure) = reading.drain(share, &mut |fetched| sink(*key, fetched));
                if let Some(code) = failure {
                    reading.fail(&self.client, code)?;
                    sink(*key, Fetched::Lost);
                }
                total += count;
                is_more |= count == share;
            }
        }
        Ok(total)
    }
}

/// The offsets of a partition from the first record kept to the last stable one.
pub(super) fn kept(client: &Client, topic: &str, partition: u32) -> Result<Range<u64>, BrokerError> {
    let (low, high) = client
        .fetch_watermarks(topic, signed(partition), ANSWER)
        .map_err(|error| failed(&format!("asking for the offsets of {topic}"), &error))?;
    Ok(unsigned(low)..unsigned(high))
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

/// Records taken of one partition before the others have their turn.
const BATCH: usize = 1_000;

/// Every partition is looked at this often, whatever rings.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
