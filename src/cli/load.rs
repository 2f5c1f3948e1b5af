//! `vipstream load`: believable traffic, or existing files, into Kafka topics or files.

mod files;
mod kafka;
mod source;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ArgGroup;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::Usage;
use super::values::{Input, input, instant, kind};
use crate::clock;
use crate::load::mix::Mix;
use crate::load::{Load, Shape};
use crate::model::event::Kind;
use crate::model::time::EventTime;

use files::Folder;
use kafka::Topics;
pub(crate) use kafka::default_topic;

/// Generate believable traffic, or load existing files, into Kafka topics or files.
///
/// The same seed and shape give the same records every time.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("to").required(true).args(["output", "bootstrap"]))]
pub(crate) struct Args {
    /// Write one file a kind into this folder: DIR/purchase.jsonl, DIR/csat.jsonl, ...
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write to the topics of this Kafka
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// A property of the Kafka client (librdkafka), such as security.protocol=SSL
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = pair, requires = "bootstrap")]
    kafka: Vec<(String, String)>,
    /// Topic of a kind, where it is not the default (vip.purchases, vip.csat, vip.mentions, ...)
    #[arg(long = "topic", value_name = "[KIND=]TOPIC", requires = "bootstrap")]
    topics: Vec<String>,
    /// Create the topics that are missing, with this many partitions
    #[arg(long, value_name = "PARTITIONS", requires = "bootstrap", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    create_topics: Option<i32>,
    /// At most this many records a second; without it, as fast as possible
    #[arg(long, value_name = "RECORDS", value_parser = rate)]
    rate: Option<f64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,

    /// Load this file as it is, one record a line, in its order
    #[arg(long, value_name = "FILE", requires_all = ["kind", "bootstrap"], help_heading = "Existing files instead of made-up traffic")]
    from: Option<PathBuf>,
    /// The kind of the records in --from
    #[arg(long, value_parser = kind, requires = "from", help_heading = "Existing files instead of made-up traffic")]
    kind: Option<Kind>,
    /// Load this file of this kind; may be repeated
    #[arg(long = "input", value_name = "KIND=FILE", requires = "bootstrap", value_parser = input, help_heading = "Existing files instead of made-up traffic")]
    inputs: Vec<Input>,

    #[command(flatten, next_help_heading = "The shape of made-up traffic")]
    shape: ShapeArgs,
}

#[derive(Debug, clap::Args)]
struct ShapeArgs {
    /// Everything made up follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many records
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// How many customers
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    customers: u32,
    /// Over how many days the events' own times spread
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// When the first day begins: a date, or an instant such as 2025-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", default_value = "2025-01-01", value_parser = instant)]
    start: EventTime,
    /// Parts of each kind: purchase, csat, mention, referral, presence, case, engagement
    #[arg(
        long,
        value_name = "KIND=PARTS,...",
        default_value = "purchase=60,presence=15,csat=10,mention=10,referral=5"
    )]
    mix: Mix,
    /// How uneven customers are: the one of rank k acts in proportion to 1 / k^ZIPF
    #[arg(long, default_value_t = 0.8, value_parser = exponent)]
    zipf: f64,
    /// Share of customers with a profile record (their name, handles, region)
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    profiles: f64,
    /// Share of records that come twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.005, value_parser = share)]
    duplicates: f64,
    /// Share of records that come up to three hours late
    #[arg(long, value_name = "SHARE", default_value_t = 0.005, value_parser = share)]
    late: f64,
    /// Share of records that are broken
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    malformed: f64,
}

impl From<ShapeArgs> for Shape {
    fn from(args: ShapeArgs) -> Self {
        Self {
            seed: args.seed,
            events: args.events,
            customers: args.customers,
            zipf: args.zipf,
            start: args.start,
            span: Duration::from_hours(24 * u64::from(args.days)),
            mix: args.mix,
            profiles: args.profiles,
            duplicates: args.duplicates,
            late: args.late,
            malformed: args.malformed,
        }
    }
}

/// Where records go.
trait Sink {
    /// Takes one record; where the sink is full, waits.
    fn write(&mut self, kind: Kind, key: Option<&[u8]>, value: &[u8]) -> anyhow::Result<()>;
    /// Waits until everything has arrived.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// Runs the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let inputs = inputs(&args);
    let total = if inputs.is_empty() { Total::Records(args.shape.events) } else { source::size(&inputs)? };
    let kinds: Vec<Kind> = if inputs.is_empty() {
        let parts = |kind: &Kind| args.shape.mix.parts(*kind) > 0.0;
        let profiles = (args.shape.profiles > 0.0).then_some(Kind::Customer);
        Kind::ALL.into_iter().filter(parts).chain(profiles).collect()
    } else {
        inputs.iter().map(|(kind, _)| *kind).collect()
    };
    let (mut sink, place): (Box<dyn Sink>, String) = match (&args.output, &args.bootstrap) {
        (Some(folder), _) => (Box::new(Folder::create(folder, &kinds)?), folder.display().to_string()),
        (None, bootstrap) => {
            let bootstrap = bootstrap.as_deref().unwrap_or_default();
            let names = kafka::names(&args.topics, args.kind.filter(|_| args.inputs.is_empty()))?;
            let topics = Topics::open(bootstrap, &args.kafka, &names, &kinds, args.create_topics)?;
            (Box::new(topics), bootstrap.to_owned())
        }
    };
    let (rate, json) = (args.rate, args.json);
    let mut flow = Flow::new(sink.as_mut(), rate, total);
    if inputs.is_empty() {
        source::generate(Load::new(args.shape.into()), &mut flow)?;
    } else {
        source::read(&inputs, &mut flow)?;
    }
    let summary = flow.finish()?;
    summary.print(&place, json)?;
    Ok(())
}

fn inputs(args: &Args) -> Vec<(Kind, PathBuf)> {
    let from = args.kind.zip(args.from.clone());
    from.into_iter().chain(args.inputs.iter().cloned()).collect()
}

/// How much there is to do, for the progress bar.
enum Total {
    Records(u64),
    Bytes(u64),
}

/// Records on their way: paced, counted, shown.
struct Flow<'a> {
    sink: &'a mut dyn Sink,
    rate: Option<f64>,
    begun: Instant,
    progress: ProgressBar,
    total: Total,
    records: BTreeMap<Kind, u64>,
    bytes: u64,
}

impl<'a> Flow<'a> {
    fn new(sink: &'a mut dyn Sink, rate: Option<f64>, total: Total) -> Self {
        let (length, template) = match total {
            Total::Records(records) => (records, "{bar:40} {human_pos} of {human_len} records, {per_sec}, {eta} left"),
            Total::Bytes(bytes) => (bytes, "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left"),
        };
        // Drawn to stderr, and only where that is a terminal.
        let progress = ProgressBar::new(length)
            .with_style(ProgressStyle::with_template(template).expect("a template that the tests draw"));
        Self { sink, rate, begun: clock::now(), progress, total, records: BTreeMap::new(), bytes: 0 }
    }

    /// Hands on one record. `size` is what it takes of the source.
    fn record(&mut self, kind: Kind, key: Option<&[u8]>, value: &[u8], size: u64) -> anyhow::Result<()> {
        self.pace();
        self.sink.write(kind, key, value)?;
        *self.records.entry(kind).or_default() += 1;
        self.bytes += value.len() as u64;
        self.progress.inc(match self.total {
            Total::Records(_) => 1,
            Total::Bytes(_) => size,
        });
        Ok(())
    }

    /// Waits until the next record may go, in steps coarse enough to sleep.
    fn pace(&self) {
        let Some(rate) = self.rate else { return };
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 records")]
        let due = Duration::from_secs_f64(self.records.values().sum::<u64>() as f64 / rate);
        let ahead = due.saturating_sub(self.begun.elapsed());
        if ahead > Duration::from_millis(1) {
            std::thread::sleep(ahead);
        }
    }

    fn finish(self) -> anyhow::Result<Summary> {
        self.sink.finish()?;
        self.progress.finish_and_clear();
        Ok(Summary { records: self.records, bytes: self.bytes, seconds: self.begun.elapsed().as_secs_f64() })
    }
}

/// What was done.
struct Summary {
    records: BTreeMap<Kind, u64>,
    bytes: u64,
    seconds: f64,
}

impl Summary {
    fn print(&self, place: &str, json: bool) -> std::io::Result<()> {
        let total: u64 = self.records.values().sum();
        let mut out = std::io::stdout().lock();
        if json {
            let kinds: BTreeMap<&str, u64> = self.records.iter().map(|(kind, count)| (kind.name(), *count)).collect();
            let summary = serde_json::json!({
                "to": place, "records": total, "bytes": self.bytes, "seconds": self.seconds, "kinds": kinds,
            });
            return writeln!(out, "{summary}");
        }
        let kinds: Vec<String> =
            self.records.iter().map(|(kind, count)| format!("{} {}", HumanCount(*count), kind.name())).collect();
        let list = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        writeln!(out, "{} records{list} to {place} in {:.1} s", HumanCount(total), self.seconds)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as security.protocol=SSL")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "write a number from 0 to 1".to_owned())
}

fn exponent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|exponent| (0.0..=3.0).contains(exponent));
    number.ok_or_else(|| "write a number from 0 (all alike) to 3".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|rate| (0.001..=1e9).contains(rate));
    number.ok_or_else(|| "write a number of records a second, above 0".to_owned())
}
