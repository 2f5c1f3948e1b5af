//! From where a task restores: the newest snapshot that is whole and the journal agrees with, else the journal's
//! beginning, else a refusal that says why.

use std::ops::Range;
use std::sync::Arc;

use prost::Message;

use crate::broker::Broker;
use crate::engine::Engine;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::{SnapshotError, Snapshots};
use crate::task::journal::{JournalRecord, LOGIC_VERSION, journal_digest, mode_name};
use crate::task::{Task, TaskError};

/// What the journal is applied to, and what of it.
pub(in crate::task) struct Base {
    /// The snapshot, and the state that it brought back; none where the journal is applied from its beginning.
    pub(super) snapshot: Option<(Manifest, Engine)>,
    /// What was committed after it, in order.
    pub(in crate::task) journal: Vec<JournalRecord>,
    /// The journal's end: offset and digest of the last record, and the offset after everything.
    pub(super) last: Option<(u64, Vec<u8>)>,
    pub(super) end: u64,
}

impl Base {
    pub(in crate::task) fn manifest(&self) -> Option<&Manifest> {
        self.snapshot.as_ref().map(|(manifest, _)| manifest)
    }

    /// The last epoch committed; none where the app is new.
    pub(in crate::task) fn last_epoch(&self) -> Option<u64> {
        let replayed = self.journal.last().map(|record| record.epoch);
        replayed.or_else(|| self.manifest().map(|manifest| manifest.epoch))
    }
}

/// A journal record as it was found.
struct Found {
    offset: u64,
    digest: Vec<u8>,
    record: JournalRecord,
}

impl<B: Broker> Task<B> {
    pub(super) fn find_base(&mut self) -> Result<Base, TaskError> {
        let mut passed_over = Vec::new();
        if let Some(mut snapshots) = self.snapshots.take() {
            let found = self.try_snapshots(&mut snapshots, &mut passed_over);
            self.snapshots = Some(snapshots);
            if let Some(base) = found? {
                self.note_passed_over(&passed_over);
                return Ok(base);
            }
        }
        self.note_passed_over(&passed_over);
        let kept = self.ask(Broker::journal_range)?;
        let found = self.read_journal(kept.clone())?;
        let Some(first) = found.first() else {
            return if kept.start > 0 {
                Err(self.lost_beginning(&kept, &found, &passed_over))
            } else {
                Ok(new(kept.end))
            };
        };
        if first.record.epoch > 0 {
            return Err(self.lost_beginning(&kept, &found, &passed_over));
        }
        if let Some(named) = found.last().and_then(|last| last.record.snapshot.as_ref())
            && self.snapshots.is_some()
        {
            let (store, named) = (&self.setup.store, named.epoch);
            tracing::warn!(
                task = self.partition,
                named,
                store,
                "no snapshot can be used: the whole journal is replayed"
            );
        }
        self.base(None, found, 0, kept.end)
    }

    /// The newest snapshot that can be used; what was found wrong with newer ones is in `passed_over`.
    ///
    /// Whoever is slow may find what they have listed gone: another process owned the task meanwhile, and has pruned. Newer
    /// ones are there then.
    fn try_snapshots(
        &mut self,
        snapshots: &mut Snapshots,
        passed_over: &mut Vec<String>,
    ) -> Result<Option<Base>, TaskError> {
        let mut tried = None;
        loop {
            let epochs = match self.ask_store(|| snapshots.epochs())? {
                Ok(epochs) => epochs,
                Err(error) => return Err(TaskError::Snapshot(error)),
            };
            let newest = epochs.first().copied();
            if newest <= tried {
                return Ok(None);
            }
            tried = newest;
            passed_over.clear();
            if let Some(base) = self.try_listed(snapshots, epochs, passed_over)? {
                return Ok(Some(base));
            }
        }
    }

    fn try_listed(
        &mut self,
        snapshots: &mut Snapshots,
        epochs: Vec<u64>,
        passed_over: &mut Vec<String>,
    ) -> Result<Option<Base>, TaskError> {
        let Some(newest) = epochs.first() else { return Ok(None) };
        // Asked after them: what they are of was in the journal before.
        let kept = &self.ask(Broker::journal_range)?;
        let last = self.journal_end()?.map(|(_, last)| last);
        let last = last.and_then(|last| JournalRecord::decode(last.as_slice()).ok());
        // Whatever is newer than the journal belongs to another, or the journal has lost what was committed.
        let reach = last.as_ref().map(|last| last.epoch);
        let Some(last) = last.filter(|last| last.epoch >= *newest) else {
            return Err(self.beyond_the_journal(*newest, reach));
        };
        for epoch in epochs {
            match self.try_snapshot(snapshots, epoch, kept)? {
                Ok(base) => {
                    if let Some(named) = last.snapshot.filter(|named| named.epoch > epoch) {
                        let (store, named) = (&self.setup.store, named.epoch);
                        tracing::warn!(
                            task = self.partition,
                            named,
                            epoch,
                            store,
                            "the store lacks the snapshot that the journal names, or it cannot be used: an older one is"
                        );
                    }
                    return Ok(Some(base));
                }
                Err(why) => passed_over.push(why),
            }
        }
        Ok(None)
    }

    /// Tries one snapshot: what is wrong with it comes as the inner error.
    fn try_snapshot(
        &mut self,
        snapshots: &mut Snapshots,
        epoch: u64,
        kept: &Range<u64>,
    ) -> Result<Result<Base, String>, TaskError> {
        let manifest = match self.ask_store(|| snapshots.manifest(epoch))? {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Err(why) = self.fits(&manifest) {
            return Ok(Err(format!("snapshot of epoch {epoch}: {why}")));
        }
        let found = self.read_journal(manifest.journal_from.max(kept.start)..kept.end)?;
        if let Err(why) = agrees(&manifest, &found) {
            return Ok(Err(format!("snapshot of epoch {epoch}: {why}")));
        }
        let (rules, mode) = (Arc::clone(&self.setup.rules), self.setup.mode);
        let (progress, task) = (&self.setup.progress, self.partition);
        let mut note =
            |done, of| progress.restoring(task, &format!("snapshot of epoch {epoch}: {done} of {of} customers"));
        let loaded = self.ask_store(|| snapshots.load(&manifest, Arc::clone(&rules), mode, &mut note))?;
        let engine = match loaded {
            Ok(engine) => engine,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let first = manifest.epoch + 1;
        self.base(Some((manifest, engine)), found, first, kept.end).map(Ok)
    }

    /// Whether a snapshot is this task's, under these rules.
    fn fits(&self, manifest: &Manifest) -> Result<(), String> {
        let setup = &self.setup;
        if manifest.tasks != setup.tasks {
            return Err(format!("it was taken with {} tasks, `tasks` says {}", manifest.tasks, setup.tasks));
        }
        if manifest.logic_version != LOGIC_VERSION {
            return Err(format!("it is of logic version {}, this build has {LOGIC_VERSION}", manifest.logic_version));
        }
        if manifest.ruleset != setup.rules.hash() {
            return Err(format!("it was taken under ruleset {}", manifest.ruleset));
        }
        if manifest.time != mode_name(setup.mode) {
            return Err(format!("it was taken with `time: {}`", manifest.time));
        }
        Ok(())
    }

    /// The base, of the journal records from epoch `first` on.
    fn base(
        &self,
        snapshot: Option<(Manifest, Engine)>,
        found: Vec<Found>,
        first: u64,
        end: u64,
    ) -> Result<Base, TaskError> {
        let last = found.last().map(|last| (last.offset, last.digest.clone()));
        let journal: Vec<JournalRecord> =
            found.into_iter().map(|found| found.record).filter(|record| record.epoch >= first).collect();
        for (expected, record) in (first..).zip(&journal) {
            if record.epoch != expected {
                return Err(TaskError::Changed(format!(
                    "{} partition {} holds epoch {} where {expected} should be: it was written from outside",
                    self.setup.journal, self.partition, record.epoch
                )));
            }
            self.check(record)?;
        }
        Ok(Base { snapshot, journal, last, end })
    }

    fn read_journal(&mut self, range: Range<u64>) -> Result<Vec<Found>, TaskError> {
        let read = self.ask(|broker| {
            let mut read = Vec::new();
            broker.journal(range.clone(), &mut |offset, value| {
                read.push((offset, journal_digest(value), JournalRecord::decode(value)));
            })?;
            Ok(read)
        })?;
        let (journal, partition) = (&self.setup.journal, self.partition);
        let decoded = read.into_iter().map(|(offset, digest, record)| match record {
            Ok(record) => Ok(Found { offset, digest, record }),
            Err(error) => {
                let reason = error.to_string();
                Err(TaskError::Journal { journal: journal.clone(), partition, offset, reason })
            }
        });
        decoded.collect()
    }

    fn note_passed_over(&self, reasons: &[String]) {
        for why in reasons {
            tracing::error!(task = self.partition, why, "a snapshot cannot be used: going back further");
        }
        self.metrics.passed_over(reasons.len());
    }

    fn lost_beginning(&self, kept: &Range<u64>, found: &[Found], passed_over: &[String]) -> TaskError {
        let (journal, partition, kept) = (self.setup.journal.clone(), self.partition, kept.start);
        if self.snapshots.is_none() {
            return TaskError::JournalGap { journal, partition, kept };
        }
        let reach = found.first().map(|first| format!("begins with epoch {}", first.record.epoch));
        let reach = reach.unwrap_or_else(|| "is empty".to_owned());
        let named = found.last().and_then(|last| last.record.snapshot.as_ref());
        let named = named.map_or(String::new(), |named| format!(" and names a snapshot of epoch {}", named.epoch));
        let why = if passed_over.is_empty() { "there is none".to_owned() } else { passed_over.join("; ") };
        TaskError::Outside(format!(
            "{journal} partition {partition} {reach}{named}, and {} has no snapshot to go on from ({why}): point \
             snapshots.store to where this app's snapshots are, or start anew under another `app`",
            self.setup.store
        ))
    }

    fn beyond_the_journal(&self, newest: u64, last: Option<u64>) -> TaskError {
        let (journal, partition, store) = (&self.setup.journal, self.partition, &self.setup.store);
        let end = last.map_or("is empty".to_owned(), |last| format!("ends with epoch {last}"));
        TaskError::Outside(format!(
            "{journal} partition {partition} {end}, but {store} has a snapshot of epoch {newest}: the journal was cut or \
             made anew, or the snapshots are another's. Start under another `app`, or point snapshots.store elsewhere"
        ))
    }
}

/// Whether the journal from about the snapshot's epoch on goes on from it.
fn agrees(manifest: &Manifest, found: &[Found]) -> Result<(), String> {
    let epoch = manifest.epoch;
    if let Some(first) = found.first().filter(|first| first.record.epoch > epoch + 1) {
        return Err(format!("the journal begins with epoch {}: it was kept too short a time", first.record.epoch));
    }
    let Some(own) = found.iter().find(|found| found.record.epoch >= epoch) else {
        return Err("the journal does not have its epoch".to_owned());
    };
    if own.record.epoch == epoch && own.digest != manifest.journal_digest {
        return Err("its epoch is another than the journal's".to_owned());
    }
    let named = found.iter().filter_map(|found| found.record.snapshot.as_ref()).find(|named| named.epoch == epoch);
    if named.is_some_and(|named| named.state_digest != manifest.state_digest) {
        return Err("the journal names another digest of its state".to_owned());
    }
    Ok(())
}

/// The base of an app that begins.
fn new(end: u64) -> Base {
    Base { snapshot: None, journal: Vec::new(), last: None, end }
}

impl From<SnapshotError> for TaskError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}
