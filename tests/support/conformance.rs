//! What the simulated broker and the real one must answer alike: a script of primitives, and what is seen of it.
//!
//! Only what a task may rely on is written down. Where the outcome comes a moment later, it is waited for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use vipstream::broker::{Broker, BrokerError, Fetched, Outgoing, Partition, Refusal};

/// Plays the script with two connections of the same task, to an app of one task of which nothing is there yet; says
/// what was seen.
pub fn play<B: Broker>(app: &str, first: &mut B, second: &mut B) -> String {
    let mut log = Log { app: app.to_owned(), text: String::new() };
    log.step("the first makes its producer", &first.init());
    log.line("the journal", &range(first.journal_range()));
    log.line("the relay", &range(first.kept(Partition::Relay)));

    log.commit("the first", first, &["a", "b"], "j0");
    log.read("the second", second, 0, "b");
    // The marker takes an offset, too.
    log.line("the relay", &range(second.kept(Partition::Relay)));
    log.line("the journal", &range(second.journal_range()));

    log.step("the first begins", &first.begin());
    log.send(first, "relay", "left open");
    until_sent(second);
    log.line("the relay, up to what is stable", &range(second.kept(Partition::Relay)));
    log.step("the second makes its producer", &second.init());
    log.line("the first commits", &refusal(&first.commit()));

    log.commit("the second", second, &["c"], "j1");
    log.read("the second", second, 2, "c");

    log.step("the second begins", &second.begin());
    log.send(second, "relay", "given up");
    log.step("the second aborts", &second.abort());
    log.commit("the second", second, &["d"], "j2");
    log.read("the second", second, 2, "d");

    log.step("the second begins", &second.begin());
    log.send(second, "relay", "without a group");
    log.line(
        "offsets of one who is no member",
        &refusal(&second.offsets(&BTreeMap::from([(Partition::Relay, 1)]), "")),
    );
    log.step("the second aborts", &second.abort());
    // A cluster that has just started may not know the group's coordinator yet.
    let asked = (0..PATIENCE).find_map(|_| {
        second.fetch(WAIT, 100, &mut |_, _| {}).expect("it can be read");
        second.committed(&[Partition::Relay]).ok()
    });
    let committed = asked.map(|committed| committed.len());
    log.line("the group's offsets", &format!("{committed:?}"));

    log.commit("the second", second, &["e"], "j3");
    log.read("the first", first, 2, "e");
    log.journal(second);
    log.beyond(first);
    log.text
}

struct Log {
    app: String,
    text: String,
}

impl Log {
    fn line(&mut self, what: &str, seen: &str) {
        writeln!(self.text, "{what}: {seen}").expect("a text takes all");
    }

    fn step(&mut self, what: &str, done: &Result<(), Refusal>) {
        self.line(what, &refusal(done));
    }

    fn send<B: Broker>(&mut self, broker: &mut B, topic: &str, value: &str) {
        let sent = broker.produce(&self.record(topic, value));
        self.step(&format!("to the {topic} `{value}`"), &sent);
    }

    fn commit<B: Broker>(&mut self, who: &str, broker: &mut B, relay: &[&str], journal: &str) {
        let done = self.try_commit(broker, relay, journal);
        self.step(&format!("{who} commits {relay:?} and {journal}"), &done);
    }

    fn try_commit<B: Broker>(&self, broker: &mut B, relay: &[&str], journal: &str) -> Result<(), Refusal> {
        broker.begin()?;
        relay.iter().try_for_each(|value| broker.produce(&self.record("relay", value)))?;
        broker.produce(&self.record("journal", journal))?;
        broker.commit()
    }

    fn record(&self, topic: &str, value: &str) -> Outgoing {
        Outgoing {
            topic: format!("{}.{topic}", self.app),
            partition: Some(0),
            key: None,
            value: Some(value.as_bytes().to_vec()),
            headers: Vec::new(),
        }
    }

    /// Reads the relay up to a value that will come, and to the end after it.
    fn read<B: Broker>(&mut self, who: &str, broker: &mut B, from: u64, last: &str) {
        broker.read_from(&BTreeMap::from([(Partition::Relay, from)])).expect("it can be read");
        let (mut seen, mut is_there, mut is_over) = (Vec::new(), false, false);
        for _ in 0..PATIENCE {
            let fetched = broker.fetch(WAIT, 100, &mut |_, fetched| match fetched {
                Fetched::Record { raw, .. } => {
                    let value = String::from_utf8_lossy(raw.value.unwrap_or_default()).into_owned();
                    is_there |= value == last;
                    seen.push(value);
                }
                Fetched::AtEnd(_) => is_over = is_there,
                Fetched::Lost => {}
            });
            fetched.expect("it can be read");
            if is_over {
                break;
            }
        }
        self.line(&format!("{who} reads the relay from {from}"), &format!("{seen:?}, its end: {is_over}"));
    }

    fn journal<B: Broker>(&mut self, broker: &mut B) {
        let range = broker.journal_range().expect("the broker answers");
        let mut seen = Vec::new();
        broker
            .journal(range, &mut |_, value| seen.push(String::from_utf8_lossy(value).into_owned()))
            .expect("the broker answers");
        self.line("the journal", &format!("{seen:?}"));
    }

    /// Reads where nothing can be.
    fn beyond<B: Broker>(&mut self, broker: &mut B) {
        broker.read_from(&BTreeMap::from([(Partition::Relay, 1_000)])).expect("it can be asked for");
        let failed = (0..PATIENCE).find_map(|_| broker.fetch(WAIT, 100, &mut |_, _| {}).err());
        let is_out_of_range = matches!(failed, Some(BrokerError::OutOfRange { position: 1_000, .. }));
        self.line("reading beyond the end is out of range", &is_out_of_range.to_string());
    }
}

/// Gives a record that is under way the time to arrive; if it does not, it is not seen either.
fn until_sent<B: Broker>(broker: &mut B) {
    for _ in 0..ARRIVAL {
        broker.fetch(WAIT, 100, &mut |_, _| {}).expect("it can be read");
    }
}

fn range(range: Result<std::ops::Range<u64>, BrokerError>) -> String {
    range.map_or_else(|error| error.to_string(), |range| format!("{range:?}"))
}

/// What the caller must do, without the broker's words.
fn refusal(done: &Result<(), Refusal>) -> String {
    let word = match done {
        Ok(()) => "done",
        Err(Refusal::Abortable(_)) => "to be aborted",
        Err(Refusal::Fenced(_)) => "fenced",
        Err(Refusal::Unknown(_)) => "unknown",
        Err(Refusal::Denied(_)) => "denied",
    };
    word.to_owned()
}

const PATIENCE: usize = 200;
const ARRIVAL: usize = 10;
const WAIT: Duration = Duration::from_millis(50);
