//! Writes to Kafka topics: idempotent, so that order within a partition and number hold, and keyed like the
//! Java client (murmur2), so that a record lies with the task of its customer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message};

use super::{Sink, Usage};
use crate::model::event::Kind;

/// The topics of the kinds that are loaded.
pub(super) struct Topics {
    producer: BaseProducer<Deliveries>,
    names: BTreeMap<Kind, String>,
}

/// Notes the first record that did not arrive.
#[derive(Default)]
struct Deliveries {
    failed: Mutex<Option<anyhow::Error>>,
}

impl ClientContext for Deliveries {
    /// Broken connections are retried by the library; what matters shows in deliveries.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result {
            let mut failed = self.failed.lock().expect("nothing panics while it notes a failure");
            failed.get_or_insert_with(|| refused(error, record.topic()));
        }
    }
}

impl Topics {
    /// Connects, and makes sure that every topic is there.
    ///
    /// # Errors
    /// One sentence with the remedy: unreachable, refused, or a missing topic.
    pub(super) fn open(
        bootstrap: &str,
        properties: &[(String, String)],
        names: &BTreeMap<Kind, String>,
        kinds: &[Kind],
        partitions: Option<i32>,
    ) -> anyhow::Result<Self> {
        let names: BTreeMap<Kind, String> = kinds.iter().map(|kind| (*kind, topic(names, *kind))).collect();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("client.id", "vipstream-load");
        // Roomy batches: this fills topics, it does not hurry single records.
        config.set("linger.ms", "20").set("batch.size", "1000000").set("message.max.bytes", "20000000");
        config.set("queue.buffering.max.messages", "500000");
        for (key, value) in properties {
            config.set(key, value);
        }
        config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        let producer: BaseProducer<Deliveries> =
            config.create_with_context(Deliveries::default()).map_err(|error| Usage(format!("--kafka: {error}")))?;
        let missing = missing(&producer, bootstrap, &names)?;
        match partitions {
            _ if missing.is_empty() => {}
            Some(partitions) => create(&config, &missing, partitions)?,
            None => {
                let list = missing.join(", ");
                return Err(anyhow!("{bootstrap} has no topic {list}: create it, or add --create-topics 4"));
            }
        }
        Ok(Self { producer, names })
    }

    fn failure(&self) -> anyhow::Result<()> {
        let mut failed = self.producer.context().failed.lock().expect("nothing panics while it notes a failure");
        failed.take().map_or(Ok(()), Err)
    }
}

impl Sink for Topics {
    fn write(&mut self, kind: Kind, key: Option<&[u8]>, value: &[u8]) -> anyhow::Result<()> {
        let topic = self.names.get(&kind).expect("a topic is known for each kind that comes");
        // No timestamp: a broker refuses and expires by it, and these events may be of any year.
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value);
        record.key = key;
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                    self.failure()?;
                }
                Err((error, _)) => return Err(refused(&error, topic)),
            }
        }
        self.producer.poll(Duration::ZERO);
        self.failure()
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(50));
            self.failure()?;
        }
        self.failure()
    }
}

/// The topics said on the command line: `KIND=TOPIC`, or a bare name for the kind of `--from`.
pub(super) fn names(said: &[String], only: Option<Kind>) -> anyhow::Result<BTreeMap<Kind, String>> {
    let mut names = BTreeMap::new();
    for text in said {
        let (kind, topic) = match text.split_once('=') {
            Some((name, topic)) => (Kind::from_name(name), topic),
            None => (only, text.as_str()),
        };
        let help = || Usage(format!("--topic {text}: write KIND=TOPIC, such as purchase=shop.orders"));
        names.insert(kind.ok_or_else(help)?, topic.to_owned());
    }
    Ok(names)
}

fn topic(names: &BTreeMap<Kind, String>, kind: Kind) -> String {
    names.get(&kind).cloned().unwrap_or_else(|| default_topic(kind).to_owned())
}

/// The topic of a kind where nothing else is said.
pub(crate) const fn default_topic(kind: Kind) -> &'static str {
    match kind {
        Kind::FxRate => "vip.fx",
        Kind::Account => "vip.accounts",
        Kind::Agent => "vip.agents",
        Kind::Override => "vip.overrides",
        Kind::Acknowledgement => "vip.acks",
        Kind::Customer => "vip.customers",
        Kind::Erasure => "vip.erasures",
        Kind::Purchase => "vip.purchases",
        Kind::Csat => "vip.csat",
        Kind::Mention => "vip.mentions",
        Kind::Referral => "vip.referrals",
        Kind::Presence => "vip.presence",
        Kind::Case => "vip.cases",
        Kind::Engagement => "vip.engagement",
        Kind::ReferredPurchase => panic!("no input carries it"),
    }
}

fn missing(
    producer: &BaseProducer<Deliveries>,
    bootstrap: &str,
    names: &BTreeMap<Kind, String>,
) -> anyhow::Result<Vec<String>> {
    // All topics are asked for: asking for one by name would create it on some brokers.
    let metadata = producer.client().fetch_metadata(None, CONNECT).map_err(|error| {
        anyhow!("cannot reach Kafka at {bootstrap} ({error}): check the address, that it runs, and its login")
    })?;
    let there = |name: &String| metadata.topics().iter().any(|topic| topic.name() == name);
    Ok(names.values().filter(|name| !there(name)).cloned().collect())
}

fn create(config: &ClientConfig, names: &[String], partitions: i32) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config.create().context("cannot create topics")?;
    let topics: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(BROKER_DEFAULT))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot create topics")?;
    let options = AdminOptions::new().operation_timeout(Some(CONNECT));
    let created = runtime.block_on(admin.create_topics(&topics, &options)).context("cannot create topics")?;
    for outcome in created {
        match outcome {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(anyhow!("cannot create topic {name}: {code}")),
        }
    }
    Ok(())
}

fn refused(error: &KafkaError, topic: &str) -> anyhow::Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => {
            anyhow!("Kafka took no record of {topic} for five minutes: check that its brokers are up, then load again")
        }
        _ => anyhow!("Kafka refused a record of {topic}: {error}"),
    }
}

const CONNECT: Duration = Duration::from_secs(10);
/// Asks the broker for its own default replication.
const BROKER_DEFAULT: i32 = -1;
