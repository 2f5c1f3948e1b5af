//! Membership of the app's group, on a consumer that subscribes to the journal topic and reads nothing of it.
//!
//! The library tells of a rebalance in a callback from within a poll and waits until assigning or giving up follows.
//! The callback only writes down what happened: a task may take seconds to finish its epoch, and heartbeats go on
//! meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{Context, failed, group_member, is_denial};
use super::consumer::{signed, unsigned_partition};
use super::{BrokerError, Change, Group};
use crate::clock;
use crate::config::Config;

/// This process's membership. Dropping it leaves the group.
pub struct KafkaGroup {
    /// `None` once left.
    consumer: Option<Arc<BaseConsumer<Listener>>>,
    name: String,
    journal: String,
    /// Told as taken away and not acknowledged yet.
    pending: Vec<u32>,
    /// When a question about the membership is answered, unless a loss comes before.
    answer_at: Option<Instant>,
}

/// The member, as transactions need it: offsets are committed in its name and generation. By default that of no group,
/// which reads but cannot commit.
#[derive(Clone, Default)]
pub struct Member(Weak<BaseConsumer<Listener>>);

impl Member {
    /// Who commits, as of now; `None` once the group was left.
    pub(super) fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.0.upgrade()?.group_metadata()
    }
}

impl KafkaGroup {
    /// Joins the group of the app. Connecting goes on by itself.
    ///
    /// # Errors
    /// A property that the library refuses.
    pub fn join(config: &Config) -> Result<Self, BrokerError> {
        let journal = config.journal();
        let consumer: Result<BaseConsumer<Listener>, KafkaError> =
            group_member(&config.kafka, &config.app).create_with_context(Listener::default());
        let joined = consumer.and_then(|consumer| consumer.subscribe(&[&journal]).map(|()| consumer));
        let name = config.app.clone();
        let consumer = joined.map_err(|error| failed(&format!("joining group {name}"), &error))?;
        Ok(Self { consumer: Some(Arc::new(consumer)), name, journal, pending: Vec::new(), answer_at: None })
    }

    /// The member, for the tasks' transactions.
    pub fn member(&self) -> Member {
        Member(self.consumer.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    fn consumer(&self) -> Result<&BaseConsumer<Listener>, BrokerError> {
        let reason = || "it was left".to_owned();
        self.consumer.as_deref().ok_or_else(|| BrokerError::Failed { what: self.what(), reason: reason() })
    }

    fn what(&self) -> String {
        format!("membership of group {}", self.name)
    }

    /// Sorts an error that the consumer reports: most pass by themselves.
    fn note(&self, error: &KafkaError) -> Result<(), BrokerError> {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::FencedInstanceId | Code::UnreleasedInstanceId)) {
            let reason = "another process has the same kafka.group.instance.id, or had it until a moment ago: each \
                          needs its own";
            return Err(BrokerError::Denied { what: self.what(), reason: reason.to_owned() });
        }
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) || code.is_some_and(is_denial) {
            return Err(failed(&self.what(), error));
        }
        tracing::debug!(target: "vipstream::kafka", group = self.name, %error, "trouble with the group");
        Ok(())
    }

    /// Takes what was assigned, without reading from it.
    fn take(&self, partitions: &[u32]) -> Result<(), BrokerError> {
        let consumer = self.consumer()?;
        let list = self.list(partitions);
        let taken = consumer.incremental_assign(&list).and_then(|()| match partitions {
            [] => Ok(()),
            _ => consumer.pause(&list),
        });
        taken.map_err(|error| failed(&self.what(), &error))
    }

    fn list(&self, partitions: &[u32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            // Its end: nothing is fetched in the moment before it is paused.
            list.add_partition_offset(&self.journal, signed(*partition), Offset::End)
                .expect("an offset that the library knows");
        }
        list
    }
}

impl Group for KafkaGroup {
    fn poll(&mut self, wait: Duration) -> Result<Option<Change>, BrokerError> {
        let consumer = self.consumer()?;
        let polled = consumer.poll(wait);
        let is_quiet = polled.is_none();
        if let Some(Err(error)) = polled {
            self.note(&error)?;
        }
        let change = consumer.context().next();
        match &change {
            Some(Change::Assigned(partitions)) => self.take(partitions)?,
            Some(Change::Released(partitions) | Change::Lost(partitions)) => {
                self.pending.clone_from(partitions);
                self.answer_at = None;
            }
            Some(Change::Confirmed) | None => {}
        }
        if is_quiet && change.is_none() && self.answer_at.is_some_and(|at| at <= clock::now()) {
            self.answer_at = None;
            return Ok(Some(Change::Confirmed));
        }
        Ok(change)
    }

    fn acknowledge(&mut self) -> Result<(), BrokerError> {
        let given_up = std::mem::take(&mut self.pending);
        let list = self.list(&given_up);
        self.consumer()?.incremental_unassign(&list).map_err(|error| failed(&self.what(), &error))
    }

    fn confirm(&mut self) {
        self.answer_at = Some(clock::now() + HEARD_WITHIN);
    }

    fn leave(&mut self, at_most: Duration) {
        let Some(consumer) = self.consumer.take() else { return };
        consumer.context().leaving.store(true, Ordering::Relaxed);
        if !self.pending.is_empty() {
            // The library goes nowhere while it waits for this; where it fails, the drop says so.
            let _ = consumer.incremental_unassign(&self.list(&self.pending));
        }
        // A consumer is dropped only once the broker has heard of it, which may be never.
        let (left, told) = mpsc::channel();
        let leave = move || {
            drop(consumer);
            let _ = left.send(());
        };
        let started = std::thread::Builder::new().name("leave".to_owned()).spawn(leave);
        if started.is_err() || told.recv_timeout(at_most).is_err() {
            tracing::warn!(group = self.name, "the group was not told that this process leaves");
        }
    }
}

impl Drop for KafkaGroup {
    fn drop(&mut self) {
        self.leave(LEFT_WITHIN);
    }
}

/// Writes down what the group decides.
#[derive(Default)]
struct Listener {
    context: Context,
    changes: Mutex<VecDeque<Change>>,
    /// Whatever comes is given up at once: the tasks have ended.
    leaving: AtomicBool,
}

impl Listener {
    fn next(&self) -> Option<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Listener {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_assigned = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.load(Ordering::Relaxed) {
            let done =
                if is_assigned { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
            if let Err(error) = done {
                tracing::debug!(target: "vipstream::kafka", %error, "trouble on leaving the group");
            }
            return;
        }
        let partitions = list.elements().iter().map(|element| unsigned_partition(element.partition())).collect();
        let change = match (is_assigned, consumer.assignment_lost()) {
            (true, _) => Change::Assigned(partitions),
            (false, true) => Change::Lost(partitions),
            (false, false) => Change::Released(partitions),
        };
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

/// A member that was taken for dead learns it with the answer to its next heartbeat. One is due at once after a
/// freeze, else within its interval.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

const LEFT_WITHIN: Duration = Duration::from_secs(2);
