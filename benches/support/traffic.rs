//! Traffic for the engine alone, epoch by epoch; and what a run takes of the machine.

use std::time::Duration;

use vipstream::codec::{RawRecord, decode};
use vipstream::load::{Generated, Load, Shape};
use vipstream::model::record::{Epoch, Position, Record};

/// Events without flaws, in epochs of [`EPOCH_RECORDS`].
pub struct Traffic {
    load: Load,
    generated: Vec<Generated>,
    offset: u64,
}

impl Traffic {
    pub fn new(shape: &Shape) -> Self {
        Self { load: Load::new(shape.clone().flawless()), generated: Vec::new(), offset: 0 }
    }

    /// Makes an epoch's events; false once there are no more.
    pub fn generate(&mut self) -> bool {
        self.generated.resize_with(EPOCH_RECORDS, Generated::default);
        let made = self.generated.iter_mut().map_while(|record| self.load.next_into(record).then_some(())).count();
        self.generated.truncate(made);
        made > 0
    }

    /// Decodes them.
    pub fn decode(&mut self) -> Epoch {
        let records: Vec<Record> = (self.offset..).zip(&self.generated).map(|(offset, it)| read(offset, it)).collect();
        self.offset += records.len() as u64;
        let clock = records.last().expect("an epoch with records").merge_time;
        Epoch { records, clock, wall: clock, ..Epoch::default() }
    }
}

fn read(offset: u64, generated: &Generated) -> Record {
    let raw = RawRecord { value: Some(&generated.json), ..RawRecord::default() };
    let event = decode(generated.kind, &raw).expect("flawless traffic decodes");
    let position = Position { kind: generated.kind, partition: 0, offset };
    Record { position, merge_time: event.at, body: Ok(event) }
}

/// What this thread has had of the processor, by `/proc/thread-self/schedstat` (Linux): others on the machine then
/// take less away from a figure. It moves in steps of some milliseconds, which even out over a run.
pub fn processor_time() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("time is measured on Linux");
    let nanos = schedstat.split(' ').next().and_then(|field| field.parse().ok()).expect("processor time comes first");
    Duration::from_nanos(nanos)
}

/// Resident memory of this process, by `/proc/self/statm` (Linux).
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("memory is measured on Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|field| field.parse().ok()).expect("resident pages come second");
    pages * PAGE_BYTES
}

const EPOCH_RECORDS: usize = 10_000;
const PAGE_BYTES: u64 = 4_096;
