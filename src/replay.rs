//! Replay: inputs from files or memory through the engine, in time order, the same bytes every time.
//!
//! Time is the events' own (`event`). Every input is read to its end as a partition of its kind; several of a
//! kind are partitions 0, 1, ... in the order given. Outputs are held in memory and sorted at the end.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use crate::codec::output::Wire;
use crate::codec::{self, RawRecord};
use crate::engine::{Engine, Home, Stats, TimeMode};
use crate::merge::{Lane, Merge};
use crate::model::event::Kind;
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::{Output, pivot};
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

/// What is replayed, and how far.
#[derive(Debug)]
pub struct Plan {
    pub rules: Arc<Ruleset>,
    /// Deadlines up to and including it fire; records after it are not read. Without it time ends at the last event.
    pub until: Option<EventTime>,
    /// Names of the inputs, for the run's id.
    pub names: Vec<String>,
    /// Most records of an epoch; changes no output.
    pub epoch_records: usize,
}

/// Records of an epoch unless said otherwise.
pub const EPOCH_RECORDS: usize = 10_000;

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// Sorted: by time, customer, sequence; dead letters by input and line.
    pub outputs: Vec<Output>,
    pub wire: Wire,
    pub stats: Stats,
    /// Rules that were in error, and how often.
    pub rule_errors: BTreeMap<String, u64>,
    /// Digest of the state at the end.
    pub digest: u128,
}

/// One input: its kind and its lines.
pub type Input<'a> = (Kind, Box<dyn BufRead + 'a>);

impl Plan {
    /// Runs the inputs through a fresh engine. `progress` is told the bytes read so far, now and then.
    ///
    /// # Errors
    /// An input that cannot be read.
    pub fn run(&self, inputs: Vec<Input<'_>>, mut progress: impl FnMut(u64)) -> io::Result<Replayed> {
        let mut engine = Engine::new(Arc::clone(&self.rules), self.rules.name(), TimeMode::Event, Home::ALONE);
        let mut outputs = Vec::new();
        self.drive(&mut engine, inputs, |_, said, read| {
            outputs.append(said);
            progress(read);
        })?;
        outputs.sort_by(|left, right| order(left).cmp(&order(right)));
        let stats = engine.stats();
        let errors = self.rules.judged().zip(stats.rule_errors.iter().copied());
        let rule_errors = errors.filter(|(_, count)| *count > 0).collect();
        Ok(Replayed { outputs, wire: self.wire(), stats, rule_errors, digest: engine.digest() })
    }

    /// Runs the inputs through an engine. After each epoch `after` is given the engine, what it said, and the bytes read so far.
    ///
    /// # Errors
    /// An input that cannot be read.
    pub(crate) fn drive(
        &self,
        engine: &mut Engine,
        inputs: Vec<Input<'_>>,
        mut after: impl FnMut(&mut Engine, &mut Vec<Output>, u64),
    ) -> io::Result<()> {
        let mut outputs = Vec::new();
        let mut apply = |engine: &mut Engine, records, clock, read| {
            engine.apply(Epoch { records, clock, wall: clock, ..Epoch::default() }, &mut outputs);
            after(engine, &mut outputs, read);
            outputs.clear();
        };
        let mut reader = Reader::open(inputs, self.until)?;
        let mut records = Vec::with_capacity(self.epoch_records);
        let mut clock = EventTime::MIN;
        while let Some(record) = reader.next()? {
            clock = record.merge_time;
            records.push(record);
            if records.len() >= self.epoch_records {
                apply(engine, std::mem::take(&mut records), clock, reader.bytes);
            }
        }
        clock = self.until.unwrap_or(clock);
        apply(engine, records, clock, reader.bytes);
        while engine.is_behind() {
            apply(engine, Vec::new(), clock, reader.bytes);
        }
        Ok(())
    }

    fn wire(&self) -> Wire {
        let until = self.until.map(|until| until.to_string()).unwrap_or_default();
        let parts: Vec<&str> =
            [self.rules.hash(), &until].into_iter().chain(self.names.iter().map(String::as_str)).collect();
        Wire {
            ruleset: self.rules.name().to_owned(),
            hash: self.rules.hash().to_owned(),
            run_id: Some(crate::model::output::OutputId::of(&parts, EventTime::MIN).to_string()),
            origin: "replay",
            topics: Kind::ALL.map(|kind| kind.name().to_owned()),
        }
    }
}

impl Replayed {
    /// The JSON lines of each output topic, in order.
    ///
    /// # Panics
    /// Never: what we write is UTF-8.
    pub fn lines(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut topics: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for output in &self.outputs {
            let line = String::from_utf8(self.wire.json(output, None)).expect("JSON is UTF-8");
            topics.entry(output.topic()).or_default().push(line);
        }
        topics
    }
}

/// Replays records held in memory and returns the JSON lines of each topic: for tests and tools.
///
/// # Panics
/// Where the ruleset has problems.
pub fn replay_memory(
    ruleset: &str,
    inputs: &[(Kind, Vec<Vec<u8>>)],
    until: Option<EventTime>,
) -> BTreeMap<&'static str, Vec<String>> {
    replay_memory_in_epochs(ruleset, inputs, until, EPOCH_RECORDS)
}

/// The same, with epochs of at most so many records.
///
/// # Panics
/// Where the ruleset has problems.
pub fn replay_memory_in_epochs(
    ruleset: &str,
    inputs: &[(Kind, Vec<Vec<u8>>)],
    until: Option<EventTime>,
    epoch_records: usize,
) -> BTreeMap<&'static str, Vec<String>> {
    let rules = Ruleset::parse("rules", ruleset).unwrap_or_else(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("the ruleset has problems:\n{}", list.join("\n"))
    });
    let plan = Plan { rules: Arc::new(rules), until, names: Vec::new(), epoch_records };
    let texts: Vec<(Kind, Vec<u8>)> = inputs
        .iter()
        .map(|(kind, lines)| (*kind, lines.iter().flat_map(|line| line.iter().chain(b"\n")).copied().collect()))
        .collect();
    let inputs = texts.iter().map(|(kind, text)| (*kind, Box::new(text.as_slice()) as Box<dyn BufRead>)).collect();
    plan.run(inputs, |_| {}).expect("memory can be read").lines()
}

/// Reads the inputs as partitions and merges them.
struct Reader<'a> {
    files: BTreeMap<(Kind, u32), (Box<dyn BufRead + 'a>, u64)>,
    merge: Merge,
    until: Option<EventTime>,
    line: Vec<u8>,
    bytes: u64,
}

impl<'a> Reader<'a> {
    fn open(inputs: Vec<Input<'a>>, until: Option<EventTime>) -> io::Result<Self> {
        let mut reader = Self { files: BTreeMap::new(), merge: Merge::default(), until, line: Vec::new(), bytes: 0 };
        for (kind, file) in inputs {
            let partition = reader.files.keys().filter(|(other, _)| *other == kind).count();
            let partition = u32::try_from(partition).map_err(io::Error::other)?;
            reader.files.insert((kind, partition), (file, 0));
            reader.merge.open(Lane::Input(kind, partition), EventTime::MIN);
        }
        for (kind, partition) in reader.files.keys().copied().collect::<Vec<_>>() {
            reader.fetch(kind, partition)?;
        }
        Ok(reader)
    }

    /// Reads a partition's next line, or finds its end.
    fn fetch(&mut self, kind: Kind, partition: u32) -> io::Result<()> {
        let (file, number) = self.files.get_mut(&(kind, partition)).expect("a partition has a file");
        self.line.clear();
        let read = file.read_until(b'\n', &mut self.line)?;
        if read == 0 {
            self.merge.set_at_end(Lane::Input(kind, partition), true);
            return Ok(());
        }
        self.bytes += read as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        let event = codec::decode(kind, &RawRecord { value: Some(&self.line), ..RawRecord::default() });
        self.merge.push(kind, partition, *number, event);
        *number += 1;
        Ok(())
    }

    /// The next record in order.
    fn next(&mut self) -> io::Result<Option<Record>> {
        let Some((_, record)) = self.merge.take() else { return Ok(None) };
        if self.until.is_some_and(|until| record.merge_time > until) {
            return Ok(None);
        }
        self.fetch(record.position.kind, record.position.partition)?;
        Ok(Some(record))
    }
}

/// Where an output stands in the sorted files. Standings of one customer at one instant stay as they were said: the last
/// one holds.
fn order(output: &Output) -> (Option<Position>, EventTime, &str, u64, &str, &str, u128) {
    match output {
        Output::DeadLetter(position, _) => (Some(*position), EventTime::MIN, "", 0, "", "", 0),
        Output::Decision(it) => (
            None,
            it.occurred_at,
            customer(&it.customer_id),
            it.status_seq,
            it.change.type_name(),
            it.change.name(),
            it.event_id.0,
        ),
        Output::Alert(it) => {
            let id = it.customer_id.as_ref().map_or("", |id| id.as_str());
            (None, it.occurred_at, id, it.status_seq, "agent.alert", &it.name, it.event_id.0)
        }
        Output::Status(it) => {
            // Of accounts, which come first, each one's stay together.
            let account = if it.customer_id.kind() == EntityKind::Account { it.customer_id.text() } else { "" };
            (None, it.occurred_at, customer(&it.customer_id), it.status_seq, "status", account, 0)
        }
        Output::Insight(it) => (None, it.occurred_at, "", 0, it.finding.type_name(), it.finding.name(), it.event_id.0),
        Output::Pivot(it) => {
            let (id, kind) = (customer(&it.customer_id), it.pivot.kind.name());
            (None, it.occurred_at, id, it.status_seq, pivot::TYPE, kind, it.event_id.0)
        }
        Output::Audit(it) => {
            (None, it.occurred_at, customer(&it.customer_id), it.status_seq, "decision", &it.programme, it.event_id.0)
        }
    }
}

/// What is about an account is about no customer, and comes first.
fn customer(id: &CustomerId) -> &str {
    if id.kind() == EntityKind::Customer { id.as_str() } else { "" }
}
