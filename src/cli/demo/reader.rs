//! Reads the output topics, as any subscriber would.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use jiff::tz::TimeZone;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;

use super::news::{News, Words};
use super::{ALERTS, EVENTS, PARTITIONS};
use crate::cli::load::default_topic;
use crate::clock;
use crate::model::event::Kind;

/// The end of each partition of the inputs.
pub(super) type Ends = BTreeMap<(Kind, u32), u64>;

/// A subscriber of decisions and alerts, who looks customers' names up in their profiles.
pub(super) struct Reader {
    consumer: BaseConsumer,
    words: Words,
}

impl Reader {
    /// Subscribes from the start of the topics.
    pub(super) fn open(bootstrap: &str, zone: TimeZone) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "demo-screen")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "20")
            .create()
            .context("cannot read the demo's topics")?;
        let mut topics = TopicPartitionList::new();
        for topic in [default_topic(Kind::Customer), EVENTS, ALERTS] {
            for partition in 0..PARTITIONS {
                topics
                    .add_partition_offset(topic, partition, Offset::Beginning)
                    .context("cannot read the demo's topics")?;
            }
        }
        consumer.assign(&topics).context("cannot read the demo's topics")?;
        Ok(Self { consumer, words: Words { names: BTreeMap::new(), zone } })
    }

    /// What arrives within a moment.
    pub(super) fn news(&mut self, moment: Duration) -> anyhow::Result<Vec<News>> {
        let mut found = Vec::new();
        let ends = clock::now() + moment;
        loop {
            let left = ends.saturating_duration_since(clock::now());
            let Some(record) = self.consumer.poll(left) else { return Ok(found) };
            let record = record.context("cannot read the demo's topics")?;
            let Ok(value) = serde_json::from_slice::<Value>(record.payload().unwrap_or_default()) else { continue };
            if record.topic() == default_topic(Kind::Customer) {
                self.meet(&value);
            } else if let Some(news) = News::read(&value, &self.words) {
                found.push(news);
            }
            if left.is_zero() {
                return Ok(found);
            }
        }
    }

    /// Up to where every input goes now.
    pub(super) fn inputs(&self) -> anyhow::Result<Ends> {
        let inputs = Kind::ALL.into_iter().flat_map(|kind| (0..PARTITIONS).map(move |partition| (kind, partition)));
        let ends = inputs.map(|(kind, partition)| {
            let end = u64::try_from(self.end(default_topic(kind), partition)?).unwrap_or_default();
            Ok(((kind, u32::try_from(partition).unwrap_or_default()), end))
        });
        ends.collect()
    }

    /// Whether all decisions and alerts that are there have been told.
    pub(super) fn is_at_end(&self) -> anyhow::Result<bool> {
        let read = self.consumer.position().context("cannot read the demo's topics")?;
        for element in read.elements().iter().filter(|element| [EVENTS, ALERTS].contains(&element.topic())) {
            // None where nothing was read yet.
            let position = element.offset().to_raw().unwrap_or_default().max(0);
            if position < self.end(element.topic(), element.partition())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn end(&self, topic: &str, partition: i32) -> anyhow::Result<i64> {
        let ends = self.consumer.fetch_watermarks(topic, partition, ANSWER);
        Ok(ends.with_context(|| format!("cannot ask where {topic} ends"))?.1)
    }

    fn meet(&mut self, profile: &Value) {
        if let (Some(id), Some(name)) = (profile["customer_id"].as_str(), profile["name"].as_str()) {
            self.words.names.insert(id.to_owned(), name.to_owned());
        }
    }
}

/// How long the broker, which is in this process, may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
