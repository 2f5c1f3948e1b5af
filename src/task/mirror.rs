//! The group's committed offsets: a mirror of the journal, for tools that show lag. Nothing is read from them; but
//! where they do not fit the journal, somebody changed one or the other, and that is said rather than passed over.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost::Message;

use super::journal::{JournalRecord, lane_of};
use super::recovery::base::Base;
use super::{Task, TaskError, answers_for};
use crate::broker::{Broker, Committed, Partition};
use crate::merge::Lane;

/// What is noted beside each offset.
pub(super) fn note(epoch: u64, outputs_digest: &[u8]) -> String {
    outputs_digest.iter().fold(format!("epoch {epoch} outputs "), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The epoch of a note; `None` where the note is not ours.
fn epoch_of(note: &str) -> Option<u64> {
    note.strip_prefix("epoch ")?.split_once(" outputs ")?.0.parse().ok()
}

impl<B: Broker> Task<B> {
    /// Whether this task commits the group's offset of a partition: of one that every task reads, one of them does.
    pub(super) fn is_mirrored(&self, partition: Partition) -> bool {
        match partition {
            Partition::Input(_, number) => answers_for(self.partition, self.setup.tasks, number),
            Partition::Relay => true,
        }
    }

    /// Refuses offsets that the journal did not bring about. Offsets that are missing have expired.
    pub(super) fn check_mirror(&mut self, base: &Base) -> Result<(), TaskError> {
        let inputs = self.inputs.iter().map(|(kind, partition)| Partition::Input(*kind, *partition));
        let partitions = inputs.chain([Partition::Relay]).filter(|partition| self.is_mirrored(*partition));
        let partitions: Vec<Partition> = partitions.collect();
        let committed = self.ask(|broker| broker.committed(&partitions))?;
        let Some(last) = base.last_epoch() else {
            return match self.check_no_offsets(&committed) {
                Err(error) => Err(self.unless_taken_over(None, error)?),
                fits => fits,
            };
        };
        // What others hand over lies mixed in one partition, of which the journal names no single position.
        let mut reached: BTreeMap<Partition, u64> = BTreeMap::new();
        for image in base.manifest().into_iter().flat_map(|manifest| &manifest.lanes) {
            if let Some(Lane::Input(kind, partition)) = lane_of(&image.kind, image.partition) {
                reached.insert(Partition::Input(kind, partition), image.position);
            }
        }
        for range in base.journal.iter().flat_map(|record| &record.ranges) {
            if let Some(Lane::Input(kind, partition)) = range.lane() {
                reached.insert(Partition::Input(kind, partition), range.to);
            }
        }
        for (partition, Committed { offset, note }) in &committed {
            let reached = reached.get(partition).copied().unwrap_or_default();
            let why = match epoch_of(note) {
                None => "was not committed by this app, which notes an epoch beside each".to_owned(),
                Some(epoch) if epoch > last => {
                    format!("was committed with epoch {epoch}, and the journal ends with epoch {last}")
                }
                Some(_) if *offset < reached => format!("lies before {reached}, which the journal has reached"),
                Some(_) => continue,
            };
            let moved = self.moved(*partition, *offset, &why);
            return Err(self.unless_taken_over(Some(last), moved)?);
        }
        Ok(())
    }

    /// Another owner may have committed since the journal was read: then its offsets are right, and this task is not.
    fn unless_taken_over(&mut self, read_to: Option<u64>, error: TaskError) -> Result<TaskError, TaskError> {
        let last = self.journal_end()?;
        let last = last.and_then(|(_, last)| JournalRecord::decode(last.as_slice()).ok()).map(|last| last.epoch);
        if last == read_to {
            return Ok(error);
        }
        let reason = format!("epoch {} came into the journal while it was restored", last.unwrap_or_default());
        Ok(TaskError::Fenced { id: self.transactional_id(), reason })
    }

    fn moved(&self, partition: Partition, offset: u64, why: &str) -> TaskError {
        let (group, journal) = (&self.setup.app, &self.setup.journal);
        let (topic, number) = self.setup.place(self.partition, Some(partition));
        TaskError::Outside(format!(
            "offset {offset} of group {group} for {topic} partition {number} {why}: somebody set it, or {journal} was \
             cut. The journal alone says where the app stands, so setting offsets has no effect: to go on by the \
             journal, delete them (kafka-consumer-groups --delete-offsets --group {group} --topic {topic}); to read \
             anew, start under another `app`"
        ))
    }

    /// Refuses to begin anew where the app has been before.
    fn check_no_offsets(&self, committed: &BTreeMap<Partition, Committed>) -> Result<(), TaskError> {
        if committed.is_empty() {
            return Ok(());
        }
        let (group, journal, partition) = (&self.setup.app, &self.setup.journal, self.partition);
        let mut places: Vec<_> = committed.iter().collect();
        places.sort_by_key(|(_, committed)| committed.offset == 0);
        let places = places.into_iter().map(|(partition, committed)| {
            let (topic, number) = self.setup.place(self.partition, Some(*partition));
            format!("{topic} partition {number}: {}", committed.offset)
        });
        let places: Vec<String> = places.collect();
        let mut shown = places.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if places.len() > SHOWN {
            let _ = write!(shown, " and {} more", places.len() - SHOWN);
        }
        Err(TaskError::Outside(format!(
            "{journal} partition {partition} is empty, but group {group} has offsets ({shown}): the journal was lost, \
             or the group is somebody else's. Start under another `app`; or, for this one to start anew, delete the \
             group's offsets (kafka-consumer-groups --delete --group {group})"
        )))
    }
}

/// Offsets that one sentence lists.
const SHOWN: usize = 5;
