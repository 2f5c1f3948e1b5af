//! What an administrator may do to an app's topics and offsets from outside.

use std::future::Future;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const ANSWER: Duration = Duration::from_secs(20);

/// An administrator of a test's broker.
pub(crate) struct Admin {
    bootstrap: String,
    client: AdminClient<DefaultClientContext>,
}

impl Admin {
    pub(crate) fn of(bootstrap: &str) -> Self {
        let client = ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("an admin client");
        Self { bootstrap: bootstrap.to_owned(), client }
    }

    /// Makes a topic with these settings.
    pub(crate) fn create(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let made = wait(self.client.create_topics(&[new], &options())).expect("an answer");
        for topic in made {
            topic.expect("a new topic");
        }
        self.wait_for_partitions(topic, usize::try_from(partitions).expect("a count"));
    }

    /// Deletes a topic.
    pub(crate) fn delete(&self, topic: &str) {
        let done = wait(self.client.delete_topics(&[topic], &options())).expect("an answer");
        for topic in done {
            topic.expect("a deleted topic");
        }
        self.wait_for_partitions(topic, 0);
    }

    /// Gives a topic these settings, and no others.
    pub(crate) fn set(&self, topic: &str, settings: &[(&str, &str)]) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let change = settings.iter().fold(change, |change, (name, value)| change.set(name, value));
        let done = wait(self.client.alter_configs(&[change], &options())).expect("an answer");
        for topic in done {
            topic.expect("changed settings");
        }
        let resource = ResourceSpecifier::Topic(topic);
        let has_changed = || {
            let described = wait(self.client.describe_configs([&resource], &options())).expect("an answer");
            let described = described.into_iter().next().expect("a topic").expect("its settings");
            settings
                .iter()
                .all(|(name, value)| described.get(name).is_some_and(|it| it.value.as_deref() == Some(value)))
        };
        while !has_changed() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Adds partitions up to a count.
    pub(crate) fn add_partitions(&self, topic: &str, count: usize) {
        let new = NewPartitions::new(topic, count);
        let done = wait(self.client.create_partitions(&[new], &options())).expect("an answer");
        for topic in done {
            topic.expect("new partitions");
        }
        self.wait_for_partitions(topic, count);
    }

    /// The controller knows of a change before the broker does.
    fn wait_for_partitions(&self, topic: &str, count: usize) {
        let asks = self.consumer("asks");
        let found = || asks.fetch_metadata(Some(topic), ANSWER).expect("metadata").topics()[0].partitions().len();
        while found() != count {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Deletes a partition's records before an offset, as retention would.
    pub(crate) fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a partition");
        wait(self.client.delete_records(&list, &options())).expect("deleted records");
    }

    /// Sets a group's offset, as a tool does.
    pub(crate) fn set_offset(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a partition");
        let begun = Instant::now();
        // A group whose last member has just left may not know it yet.
        while let Err(error) = self.consumer(group).commit(&list, CommitMode::Sync) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The group's offset.
    pub(crate) fn offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let found = self.consumer(group).committed_offsets(list, ANSWER).expect("an answer");
        found.elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("group.id", group).create().expect("a consumer")
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER))
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(answer)
}
