//! The ledger of an app, read from its topics.

use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use vipstream::codec::RawRecord;
use vipstream::model::event::Kind;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::ledger::Ledger;
use crate::support::topics;

pub(crate) fn read(bootstrap: &str, app: &str, kinds: &[Kind], tasks: u32) -> Ledger {
    let mut ledger = Ledger::new(tasks);
    for kind in kinds {
        topics::each(bootstrap, &format!("{app}.{}", kind.name()), |message| {
            let position = Position { kind: *kind, partition: partition(message), offset: offset(message) };
            with_raw(message, |raw| ledger.store(position, raw));
        });
    }
    topics::each(bootstrap, &format!("{app}.journal"), |message| {
        with_raw(message, |raw| ledger.enter(partition(message), raw));
    });
    topics::each(bootstrap, &format!("{app}.relay"), |message| {
        with_raw(message, |raw| ledger.hand(partition(message), offset(message), raw));
    });
    ledger
}

fn with_raw(message: &BorrowedMessage<'_>, read: impl FnOnce(&RawRecord<'_>)) {
    let timestamp = match message.timestamp() {
        Timestamp::CreateTime(at) | Timestamp::LogAppendTime(at) => Some(EventTime(at)),
        Timestamp::NotAvailable => None,
    };
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let headers: Vec<(&str, &[u8])> = headers.map(|header| (header.key, header.value.unwrap_or_default())).collect();
    read(&RawRecord { key: message.key(), value: message.payload(), headers: &headers, timestamp });
}

fn partition(message: &BorrowedMessage<'_>) -> u32 {
    u32::try_from(message.partition()).expect("a partition")
}

fn offset(message: &BorrowedMessage<'_>) -> u64 {
    u64::try_from(message.offset()).expect("an offset")
}
