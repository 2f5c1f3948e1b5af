//! Topics of a test: made, filled and read as a user's own tools would.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode::{self, AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const ANSWER: Duration = Duration::from_secs(20);

/// A record read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Read {
    /// An output. Of the null under the key of somebody erased, the line that a file has in its place.
    pub(crate) fn json(&self) -> serde_json::Value {
        let key = || String::from_utf8_lossy(self.key.as_deref().expect("a null has a key"));
        let Some(value) = &self.value else {
            return serde_json::json!({ "type": "status", "customer_id": key(), "status": null });
        };
        serde_json::from_slice(value).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// Makes a topic.
pub(crate) fn create(bootstrap: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create().expect("an admin client");
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("max.message.bytes", "17825792");
    let options = AdminOptions::new().operation_timeout(Some(ANSWER));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let made = runtime.block_on(admin.create_topics(&[new], &options)).expect("an answer");
    for topic in made {
        topic.expect("a new topic");
    }
    // The controller knows it before the broker does.
    let consumer: BaseConsumer = client(bootstrap).create().expect("a consumer");
    let is_known = || {
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("metadata");
        metadata.topics()[0].partitions().len() == usize::try_from(partitions).expect("some partitions")
    };
    while !is_known() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A producer that spreads keys as the Java client does.
pub(crate) fn producer(bootstrap: &str) -> BaseProducer {
    let mut config = client(bootstrap);
    config.set("partitioner", "murmur2_random").set("enable.idempotence", "true").set("linger.ms", "5");
    config.set("message.max.bytes", "16800000");
    BaseProducer::from_config(&config).expect("a producer")
}

/// Sends a record, once there is room for it; the partition is the key's, unless said.
pub(crate) fn send(
    producer: &BaseProducer,
    topic: &str,
    partition: Option<i32>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let mut record = BaseRecord::<[u8], [u8]>::to(topic).headers(OwnedHeaders::new());
    record.partition = partition;
    record.key = key;
    record.payload = value;
    while let Err((error, back)) = producer.send(record) {
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
        producer.poll(Duration::from_millis(5));
        record = back;
    }
}

/// Waits until everything sent has arrived.
pub(crate) fn flush(producer: &BaseProducer) {
    producer.flush(ANSWER).expect("everything sent arrives");
}

/// Everything committed in a topic by now, partition by partition.
pub(crate) fn read_all(bootstrap: &str, topic: &str) -> Vec<Read> {
    let mut read = Vec::new();
    each(bootstrap, topic, |message| {
        read.push(Read {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map(|headers| headers.iter().map(|header| text(header.key, header.value)).collect())
                .unwrap_or_default(),
        });
    });
    read
}

/// Shows everything committed in a topic by now, each partition in order.
pub(crate) fn each(bootstrap: &str, topic: &str, mut sink: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("metadata");
    let partitions = metadata.topics()[0].partitions().len();
    wait_for_markers(bootstrap, &consumer, topic, partitions);
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        let partition = i32::try_from(partition).expect("few partitions");
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let mut ends = 0;
    while ends < partitions {
        match consumer.poll(ANSWER).expect("the broker answers") {
            Ok(message) => sink(&message),
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => {
                let is_passing = [BrokerTransportFailure, AllBrokersDown, OperationTimedOut];
                assert!(error.rdkafka_error_code().is_some_and(|code| is_passing.contains(&code)), "{topic}: {error}");
            }
        }
    }
}

/// The broker answers a commit before it writes its markers: until then what is committed cannot be read. What hangs is not
/// waited for.
fn wait_for_markers(bootstrap: &str, committed: &BaseConsumer, topic: &str, partitions: usize) {
    let all: BaseConsumer = client(bootstrap).set("isolation.level", "read_uncommitted").create().expect("a consumer");
    let begun = Instant::now();
    let end = |of: &BaseConsumer, partition| of.fetch_watermarks(topic, partition, ANSWER).expect("watermarks").1;
    for partition in 0..i32::try_from(partitions).expect("few partitions") {
        let written = end(&all, partition);
        while end(committed, partition) < written && begun.elapsed() < ANSWER {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How many offsets a topic has in all, markers included; 0 where there is none yet.
pub(crate) fn end(bootstrap: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = client(bootstrap).create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("metadata");
    let partitions = metadata.topics()[0].partitions();
    partitions.iter().map(|it| consumer.fetch_watermarks(topic, it.id(), ANSWER).expect("watermarks").1).sum()
}

fn text(name: &str, value: Option<&[u8]>) -> (String, String) {
    (name.to_owned(), String::from_utf8_lossy(value.unwrap_or_default()).into_owned())
}

/// An output without what depends on where it came from: positions, and the run. Of a null's key a topic does not say whether
/// it is an account's.
pub(crate) fn comparable(mut value: serde_json::Value) -> String {
    let fields = value.as_object_mut().expect("an object");
    if fields.get("status").is_some_and(serde_json::Value::is_null)
        && let Some(account) = fields.shift_remove("account_id")
    {
        fields["customer_id"] = account;
    }
    for name in ["trigger", "decided_at", "run_id", "origin"] {
        fields.shift_remove(name);
    }
    for rows in ["evidence", "missing"] {
        for row in fields.get_mut(rows).and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            row.as_object_mut().expect("a row").shift_remove("sample");
        }
    }
    value.to_string()
}
