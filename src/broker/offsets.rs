//! What a consumer group has committed, with what was noted beside each offset.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::Committed;
use super::connection::{ANSWER, Context, client};
use super::consumer::{signed, unsigned};
use crate::config::Properties;

/// The group's offset of each of these partitions, in their order; `None` where it has none. With `stable`, what is
/// being committed at the moment is waited for.
pub(super) fn committed(
    properties: &Properties,
    group: &str,
    places: &[(&str, u32)],
    stable: bool,
) -> Result<Vec<Option<Committed>>, KafkaError> {
    let isolation = if stable { "read_committed" } else { "read_uncommitted" };
    let config = client(properties, &[], &[("group.id", group), ("isolation.level", isolation)]);
    let client: BaseConsumer<Context> = config.create_with_context(Context::default())?;
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition(topic, signed(*partition));
    }
    let list = client.committed_offsets(list, ANSWER)?;
    let mut found = Vec::with_capacity(places.len());
    for (topic, partition) in places {
        let element = list.find_partition(topic, signed(*partition));
        let element = element.ok_or(KafkaError::Canceled)?;
        element.error()?;
        found.push(match element.offset() {
            Offset::Offset(offset) => Some(Committed { offset: unsigned(offset), note: element.metadata().to_owned() }),
            _ => None,
        });
    }
    Ok(found)
}
