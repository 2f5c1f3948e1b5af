//! A partition of a topic: records, markers, and what a committed reader may see of them.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::broker::Outgoing;
use crate::codec::RawRecord;
use crate::model::time::EventTime;

/// A partition. Offsets are places in it.
#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    /// What lies before is gone by retention.
    pub(super) start: u64,
    /// Where each open transaction begins.
    open: BTreeMap<String, u64>,
    /// Its leader does not answer before.
    pub(super) silent_until: Option<Instant>,
}

pub(super) struct Entry {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) timestamp: EventTime,
    /// The transactional id that wrote it.
    writer: Option<String>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
    Marker,
    Compacted,
}

impl Entry {
    /// As a reader has it.
    pub(super) fn with_raw<T>(&self, read: impl FnOnce(RawRecord<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        read(RawRecord {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
            timestamp: Some(self.timestamp),
        })
    }
}

impl Log {
    /// Adds a record, of a transaction where a writer is named.
    pub(super) fn append(&mut self, record: Outgoing, timestamp: EventTime, writer: Option<&str>) {
        if let Some(writer) = writer {
            let end = self.end();
            self.open.entry(writer.to_owned()).or_insert(end);
        }
        let fate = if writer.is_some() { Fate::Open } else { Fate::Committed };
        let Outgoing { key, value, headers, .. } = record;
        self.entries.push(Entry { key, value, headers, timestamp, writer: writer.map(str::to_owned), fate });
    }

    /// Ends what a writer has open here.
    pub(super) fn mark(&mut self, writer: &str, is_committed: bool, timestamp: EventTime) {
        let Some(first) = self.open.remove(writer) else { return };
        let fate = if is_committed { Fate::Committed } else { Fate::Aborted };
        for entry in &mut self.entries[place(first)..] {
            if entry.fate == Fate::Open && entry.writer.as_deref() == Some(writer) {
                entry.fate = fate;
            }
        }
        let (key, value, headers) = Default::default();
        self.entries.push(Entry { key, value, headers, timestamp, writer: None, fate: Fate::Marker });
    }

    /// The high watermark.
    pub(super) fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The last stable offset: where the first open transaction begins.
    pub(super) fn stable(&self) -> u64 {
        self.open.values().copied().min().unwrap_or(self.end())
    }

    /// The committed records from an offset up to the last stable one.
    pub(super) fn committed(&self, from: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let stable = place(self.stable());
        let from = place(from).min(stable);
        let entries = (from as u64..).zip(&self.entries[from..stable]);
        entries.filter(|(_, entry)| entry.fate == Fate::Committed)
    }

    /// All records, whatever became of them.
    pub(super) fn uncommitted(&self, from: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let from = place(from).min(self.entries.len());
        let entries = (from as u64..).zip(&self.entries[from..]);
        entries.filter(|(_, entry)| !matches!(entry.fate, Fate::Marker | Fate::Compacted))
    }

    /// Removes records that a later one of the same key stands in for.
    pub(super) fn compact(&mut self) {
        let mut newest: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (number, entry) in self.entries.iter().enumerate() {
            if let (Some(key), Fate::Committed) = (&entry.key, entry.fate) {
                newest.insert(key.clone(), number);
            }
        }
        for (number, entry) in self.entries.iter_mut().enumerate() {
            let stays = entry.key.as_ref().is_none_or(|key| newest.get(key) == Some(&number));
            if entry.fate == Fate::Committed && !stays {
                entry.fate = Fate::Compacted;
            }
        }
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("logs are short")
}
