//! The cluster as a whole: is it there, which topics has it, make those that are ours.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::connection::{ANSWER, Context, client, is_denial};
use crate::clock;
use crate::config::Properties;

/// A client that asks about topics.
pub struct Cluster {
    properties: Properties,
    client: BaseConsumer<Context>,
}

/// Why the cluster is of no use. Each message is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no Kafka broker answers at {bootstrap} ({reason}): check kafka.bootstrap.servers and that the broker runs"
    )]
    Unreachable { bootstrap: String, reason: String },
    #[error(
        "the broker at {bootstrap} refused the login ({reason}): check kafka.security.protocol, kafka.sasl.* and kafka.ssl.*"
    )]
    Login { bootstrap: String, reason: String },
    #[error(
        "the broker refused to create topic {topic} ({reason}): create it with {partitions} partitions, or allow it"
    )]
    Create { topic: String, partitions: u32, reason: String },
    #[error("the Kafka client refuses its configuration: {0}")]
    Client(KafkaError),
    #[error("the broker did not say which partitions {topic} has: {reason}")]
    Ask { topic: String, reason: String },
}

/// A topic of ours to be made where it is missing.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub topic: &'a str,
    pub partitions: u32,
    pub settings: &'a [(&'a str, &'a str)],
}

impl Cluster {
    /// Connects, trying again with growing pauses for `patience`.
    ///
    /// # Errors
    /// A refused login at once, an unreachable broker when patience ends.
    pub fn connect(properties: &Properties, group: &str, patience: Duration) -> Result<Self, ClusterError> {
        let config = client(properties, &[], &[("group.id", group)]);
        let client: BaseConsumer<Context> =
            config.create_with_context(Context::default()).map_err(ClusterError::Client)?;
        let cluster = Self { properties: properties.clone(), client };
        let started = clock::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = cluster.ask(ATTEMPT) else { return Ok(cluster) };
            if matches!(error, ClusterError::Login { .. }) || started.elapsed() + pause > patience {
                return Err(error);
            }
            tracing::warn!(%error, "waiting for Kafka");
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn ask(&self, wait: Duration) -> Result<(), ClusterError> {
        let bootstrap = self.properties.bootstrap().to_owned();
        let Err(error) = self.client.fetch_metadata(Some(PROBE), wait) else { return Ok(()) };
        // The reason of a failure is told to who polls, after what the client logs.
        while self.client.poll(EVENTS).is_some() {}
        match self.client.context().last_error() {
            Some((code, reason)) if is_denial(code) => Err(ClusterError::Login { bootstrap, reason }),
            Some((_, reason)) => Err(ClusterError::Unreachable { bootstrap, reason }),
            None => Err(ClusterError::Unreachable { bootstrap, reason: error.to_string() }),
        }
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    ///
    /// # Errors
    /// The broker did not say.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, ClusterError> {
        let ask = |reason: String| ClusterError::Ask { topic: topic.to_owned(), reason };
        let metadata = self.client.fetch_metadata(Some(topic), ANSWER).map_err(|error| ask(error.to_string()))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(u32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(code) => Err(ask(code.to_string())),
        }
    }

    /// Makes the topics that are missing; waits until the broker knows them.
    ///
    /// # Errors
    /// The broker does not allow it.
    pub fn create_missing(&self, wanted: &[Wanted<'_>]) -> Result<(), ClusterError> {
        for one in wanted {
            if self.partitions(one.topic)?.is_none() {
                self.create(one)?;
                self.wait_for(one)?;
                tracing::info!(topic = one.topic, partitions = one.partitions, "topic created");
            }
        }
        Ok(())
    }

    /// The controller knows a new topic before every broker does.
    fn wait_for(&self, wanted: &Wanted<'_>) -> Result<(), ClusterError> {
        let started = clock::now();
        while self.partitions(wanted.topic)?.is_none() {
            if started.elapsed() > ANSWER {
                let (topic, reason) = (wanted.topic.to_owned(), "it was created but does not show".to_owned());
                return Err(ClusterError::Ask { topic, reason });
            }
            std::thread::sleep(FIRST_PAUSE);
        }
        Ok(())
    }

    fn create(&self, wanted: &Wanted<'_>) -> Result<(), ClusterError> {
        let Wanted { topic, partitions, settings } = *wanted;
        let refused = |reason: String| ClusterError::Create { topic: topic.to_owned(), partitions, reason };
        let admin: AdminClient<Context> =
            client(&self.properties, &[], &[]).create_with_context(Context::default()).map_err(ClusterError::Client)?;
        let mut new =
            NewTopic::new(topic, super::consumer::signed(partitions), TopicReplication::Fixed(BROKER_DEFAULT));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
        let results =
            runtime.block_on(admin.create_topics(&[new], &options)).map_err(|error| refused(error.to_string()))?;
        match results.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(refused(code.to_string())),
            _ => Ok(()),
        }
    }

    /// The first offset kept and the last stable one of a partition.
    ///
    /// # Errors
    /// The broker did not say.
    pub fn offsets(&self, topic: &str, partition: u32) -> Result<std::ops::Range<u64>, ClusterError> {
        let ask = |error: KafkaError| ClusterError::Ask { topic: topic.to_owned(), reason: error.to_string() };
        let (low, high) =
            self.client.fetch_watermarks(topic, super::consumer::signed(partition), ANSWER).map_err(ask)?;
        Ok(super::consumer::unsigned(low)..super::consumer::unsigned(high))
    }
}

/// Any topic will do to see whether a broker answers; consumers' questions create none.
const PROBE: &str = "__consumer_offsets";

/// The replication that the broker is set to.
const BROKER_DEFAULT: i32 = -1;

/// How long a client's events are waited for.
const EVENTS: Duration = Duration::from_millis(50);

const ATTEMPT: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
