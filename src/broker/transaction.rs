//! One task's transactional producer.
//!
//! Draining before the commit matters: the library's own flush polls in steps of 100 ms, so that a commit through
//! it alone costs that much.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::connection::{Context, client, is_denial};
use super::consumer::signed;
use super::{Outgoing, Refusal};
use crate::config::Properties;

/// A producer of a fixed transactional id.
pub(super) struct Transactions {
    producer: BaseProducer<Context>,
}

impl Transactions {
    /// Makes the producer and fences every other of this id.
    pub(super) fn init(properties: &Properties, id: &str) -> Result<Self, Refusal> {
        let defaults = [("linger.ms", "1"), ("retry.backoff.ms", "10"), ("message.max.bytes", MAX_RECORD)];
        let ours = [("transactional.id", id), ("transaction.timeout.ms", "10000"), ("partitioner", "murmur2_random")];
        let producer: BaseProducer<Context> = client(properties, &defaults, &ours)
            .create_with_context(Context::default())
            .map_err(|error| Refusal::Denied(error.to_string()))?;
        let made = Self { producer };
        made.producer.init_transactions(STEP).map_err(|error| made.refusal(&error))?;
        Ok(made)
    }

    pub(super) fn begin(&self) -> Result<(), Refusal> {
        self.producer.begin_transaction().map_err(|error| self.refusal(&error))
    }

    pub(super) fn produce(&self, record: &Outgoing) -> Result<(), Refusal> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut sent = BaseRecord::<[u8], [u8]>::to(&record.topic).headers(headers);
        sent.partition = record.partition.map(signed);
        sent.key = record.key.as_deref();
        sent.payload = record.value.as_deref();
        // The library's queue is bounded: a full one empties as the broker acknowledges.
        loop {
            match self.producer.send(sent) {
                Ok(()) => return Ok(()),
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(Duration::from_millis(1));
                    sent = back;
                }
                Err((error, _)) => return Err(self.refusal(&error)),
            }
        }
    }

    pub(super) fn offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> Result<(), Refusal> {
        self.producer.send_offsets_to_transaction(offsets, group, STEP).map_err(|error| self.refusal(&error))
    }

    pub(super) fn commit(&self) -> Result<(), Refusal> {
        // Ends: undelivered records fail after the transaction's time-out and leave the count.
        self.drain();
        self.producer.commit_transaction(STEP).map_err(|error| self.refusal(&error))
    }

    /// The library throws away what it has not sent and waits for what it has, so that the sequence numbers of the next
    /// transaction follow: a purge would leave a gap, which the broker refuses, and the records after it would lie there
    /// until they time out. It does not take the deliveries that it waits for, so another thread does.
    pub(super) fn abort(&self) -> Result<(), Refusal> {
        let is_over = AtomicBool::new(false);
        let take_deliveries = || {
            while !is_over.load(Ordering::Relaxed) {
                self.producer.poll(Duration::ZERO);
                std::thread::sleep(NAP);
            }
        };
        let aborted = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("deliveries".to_owned());
            thread.spawn_scoped(scope, take_deliveries).expect("the system has room for a thread");
            let aborted = self.producer.abort_transaction(STEP);
            is_over.store(true, Ordering::Relaxed);
            aborted
        });
        aborted.map_err(|error| self.refusal(&error))
    }

    /// Waits until every record was delivered or has failed. The library's poll spins through the last millisecond of
    /// its time-out, hence a nap between polls that do not wait.
    fn drain(&self) {
        loop {
            self.producer.poll(Duration::ZERO);
            if self.producer.in_flight_count() == 0 {
                return;
            }
            std::thread::sleep(NAP);
        }
    }

    /// What a failed step means. Whatever is not known to be harmless may have been carried out.
    fn refusal(&self, error: &KafkaError) -> Refusal {
        use RDKafkaErrorCode as Code;
        let fatal = self.producer.client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or_else(|| error.rdkafka_error_code());
        let mut why = fatal.map_or_else(|| error.to_string(), |(_, reason)| reason);
        if let Some(undelivered) = self.producer.context().take_undelivered() {
            why = format!("{why}; {undelivered}");
        }
        let abortable = matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort());
        match code {
            // A process of the same `group.instance.id` took this one's place.
            Some(Code::FencedInstanceId) => Refusal::Fenced(why),
            // Among these, what an abort mends: the coordinator gave up a transaction that took too long.
            _ if abortable => Refusal::Abortable(why),
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => Refusal::Fenced(why),
            Some(code) if is_denial(code) => Refusal::Denied(why),
            // The first five: the group is on its way to another generation.
            Some(
                Code::IllegalGeneration
                | Code::UnknownMemberId
                | Code::RebalanceInProgress
                | Code::StaleMemberEpoch
                | Code::FencedMemberEpoch
                | Code::MessageSizeTooLarge
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic,
            ) => Refusal::Abortable(why),
            _ => Refusal::Unknown(why),
        }
    }
}

/// Between two looks at what is delivered: a little of what a delivery takes.
const NAP: Duration = Duration::from_micros(250);

/// How long one step of a transaction may take; past it, its outcome counts as unknown.
const STEP: Duration = Duration::from_secs(15);

/// A dead letter holds up to 16 MB, and its headers.
const MAX_RECORD: &str = "16800000";
