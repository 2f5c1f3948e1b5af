//! What a consumer group has committed, with what was noted beside each offset.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::Committed;
use super::connection::{ANSWER, Context, client, is_denial};
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
    let list = client.committed_offsets(list, ANSWER).map_err(|error| denial(&client).unwrap_or(error))?;
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

/// That the broker does not let this user look at the group; the library tells it to who polls, and time runs out for
/// who asked.
fn denial(client: &BaseConsumer<Context>) -> Option<KafkaError> {
    while client.poll(EVENTS).is_some() {}
    let (code, _) = client.context().last_error().filter(|(code, _)| is_denial(*code))?;
    Some(KafkaError::OffsetFetch(code))
}

/// How long a client's events are waited for.
const EVENTS: Duration = Duration::from_millis(50);
