//! The cluster as a whole: is it there, which topics has it, make those that are ours.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::connection::{ANSWER, Context, client, is_denial};
use super::{Committed, admin, offsets};
use crate::clock;
use crate::config::Properties;

/// A client that asks about topics.
pub struct Cluster {
    pub(super) properties: Properties,
    pub(super) group: String,
    client: BaseConsumer<Context>,
    /// Made when first needed.
    admin: OnceLock<AdminClient<Context>>,
}

/// How a topic is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub partitions: u32,
    /// Copies of each partition, at least.
    pub replication: u32,
}

/// The settings of a topic by name, defaults included.
pub type Settings = BTreeMap<String, String>;

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
    #[error("the broker does not let this user {what}: allow {allow}")]
    Denied { what: String, allow: String },
    #[error("the Kafka client refuses its configuration: {0}")]
    Client(KafkaError),
    #[error("the broker did not say what was asked about {topic}: {reason}")]
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
        let cluster = Self { properties: properties.clone(), group: group.to_owned(), client, admin: OnceLock::new() };
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
        Ok(self.layout(topic)?.map(|layout| layout.partitions))
    }

    /// How a topic is laid out; `None` where there is no such topic.
    ///
    /// # Errors
    /// The broker did not say.
    pub fn layout(&self, topic: &str) -> Result<Option<Layout>, ClusterError> {
        let ask = |reason: String| ClusterError::Ask { topic: topic.to_owned(), reason };
        let metadata = self.client.fetch_metadata(Some(topic), ANSWER).map_err(|error| ask(error.to_string()))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {
                let partitions = u32::try_from(found.partitions().len()).unwrap_or(u32::MAX);
                let replicas = found.partitions().iter().map(|partition| partition.replicas().len()).min();
                let replication = u32::try_from(replicas.unwrap_or_default()).unwrap_or(u32::MAX);
                Ok((partitions > 0).then_some(Layout { partitions, replication }))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(code) if is_denial(code) => Err(ClusterError::Denied {
                what: format!("look at topic {topic}"),
                allow: format!("Describe on topic {topic}"),
            }),
            Some(code) => Err(ask(code.to_string())),
        }
    }

    /// The id of each topic that is there; none where the broker has no ids to tell.
    ///
    /// # Errors
    /// The broker did not say.
    pub fn ids(&self, topics: &[&str]) -> Result<BTreeMap<String, String>, ClusterError> {
        let ask = |reason: String| ClusterError::Ask { topic: topics.join(", "), reason };
        admin::topic_ids(self.client.client(), self.broker()?, topics, ANSWER).map_err(ask)
    }

    /// The settings of each topic that is there, where this user may see them and the broker can tell.
    ///
    /// # Errors
    /// The broker did not say.
    pub fn settings(&self, topics: &[&str]) -> Result<BTreeMap<String, Settings>, ClusterError> {
        let ask = |error: KafkaError| ClusterError::Ask { topic: topics.join(", "), reason: error.to_string() };
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let options = options().broker_id(self.broker()?);
        let described = match wait(self.admin()?.describe_configs(&resources, &options)) {
            Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => Vec::new(),
            described => described.map_err(ask)?,
        };
        // What the broker refuses to tell comes as a topic without settings.
        Ok(described.into_iter().flatten().filter_map(named).filter(|(_, settings)| !settings.is_empty()).collect())
    }

    /// A broker that answers. By itself the library would ask the controller, which an embedded broker lacks.
    fn broker(&self) -> Result<i32, ClusterError> {
        let ask = |error: KafkaError| ClusterError::Ask { topic: PROBE.to_owned(), reason: error.to_string() };
        let metadata = self.client.fetch_metadata(Some(PROBE), ANSWER).map_err(ask)?;
        // The one that answered has no number yet if it is known by its bootstrap address alone.
        let answered = Some(metadata.orig_broker_id()).filter(|number| *number >= 0);
        let any = || metadata.brokers().first().map(rdkafka::metadata::MetadataBroker::id);
        Ok(answered.or_else(any).unwrap_or_default())
    }

    /// What the group has committed of these partitions, in their order.
    ///
    /// # Errors
    /// The broker did not say, or does not allow it.
    pub fn committed(&self, places: &[(&str, u32)]) -> Result<Vec<Option<Committed>>, ClusterError> {
        let group = &self.group;
        // Not waiting for what is being committed: another process may run the app.
        offsets::committed(&self.properties, group, places, false).map_err(|error| {
            if error.rdkafka_error_code().is_some_and(is_denial) {
                let (what, allow) = (format!("look at group {group}"), format!("Read on group {group}"));
                return ClusterError::Denied { what, allow };
            }
            ClusterError::Ask { topic: format!("group {group}"), reason: error.to_string() }
        })
    }

    fn admin(&self) -> Result<&AdminClient<Context>, ClusterError> {
        if let Some(admin) = self.admin.get() {
            return Ok(admin);
        }
        let made = client(&self.properties, &[], &[]).create_with_context(Context::default());
        let made = made.map_err(ClusterError::Client)?;
        Ok(self.admin.get_or_init(|| made))
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
        let mut new =
            NewTopic::new(topic, super::consumer::signed(partitions), TopicReplication::Fixed(BROKER_DEFAULT));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let results =
            wait(self.admin()?.create_topics(&[new], &options())).map_err(|error| refused(error.to_string()))?;
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

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER))
}

/// The library answers from a thread of its own.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers").block_on(answer)
}

fn named(described: ConfigResource) -> Option<(String, Settings)> {
    let OwnedResourceSpecifier::Topic(topic) = described.specifier else { return None };
    Some((topic, described.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()))
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
