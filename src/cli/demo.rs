//! `vipstream demo`: the whole service on one screen, with nothing installed.
//!
//! The client library brings a broker that speaks Kafka's protocol inside this process. Traffic of a made-up
//! shop goes into its topics, the very task loop of `run` decides, and what is shown is read from the output
//! topics as any subscriber would read them. The first fourteen months go through at full speed; from then on
//! event time runs fast but watchable, so that orders leave their windows before one's eyes.

mod feeder;
mod news;
mod reader;
mod screen;
mod tally;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::source;
use crate::app::{self, Health};
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::load::Shape;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::task::TaskError;

use super::Usage;
use super::load::default_topic;
use super::run::stop_on_signal;
use feeder::Feeder;
use news::News;
use reader::{Ends, Reader};
use screen::{Lines, Screen, Watching};
use tally::Tally;

/// See it at work: a made-up shop, real decisions, Kafka topics, nothing to install.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop after so many seconds; without it, at Ctrl-C
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Another seed, another shop
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Your own rules instead of the shop's
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Arc::new(rules(args.rules.as_deref())?);
    let zone = TimeZone::get(rules.calendar.zone()).context("the rules' timezone")?;
    let quit = Arc::new(AtomicBool::new(false));
    stop_on_signal(Arc::clone(&quit)).context("signals cannot be received")?;
    let ends = args.seconds.map(|seconds| clock::now() + Duration::from_secs(seconds));

    let cluster = cluster()?;
    let bootstrap = cluster.bootstrap_servers();
    let shape = shape(args.seed);
    let live_from = EventTime(shape.start.0 + HISTORY_DAYS * DAY_MS);
    let watching = Watching {
        bootstrap: bootstrap.clone(),
        rules: args.rules.as_ref().map_or_else(|| SHOP_NAME.to_owned(), |path| path.display().to_string()),
        customers: shape.customers,
        day: DAY,
    };
    let view: Box<dyn View> = if std::io::stdout().is_terminal() {
        Box::new(Screen::open(watching)?)
    } else {
        Box::new(Lines::open(&watching)?)
    };
    // The history lies in the topics before the tasks start, as it would where the service is new.
    let mut feeder = Feeder::start(&bootstrap, shape, live_from, DAY)?;
    let tasks = Tasks::start(&bootstrap, rules)?;
    let mut show = Show { reader: Reader::open(&bootstrap, zone)?, tally: Tally::default(), live_from, view };
    while !quit.load(Ordering::Relaxed) && ends.is_none_or(|ends| clock::now() < ends) && !tasks.has_ended() {
        feeder.check()?;
        show.go_on(feeder.sent())?;
    }
    // The traffic is over. What was sent is still decided and shown, so that the summary is true of it.
    feeder.stop()?;
    let sent = show.reader.inputs()?;
    let over = clock::now();
    let has_patience = || clock::since(over) < if quit.load(Ordering::Relaxed) { HURRY } else { PATIENCE };
    while !tasks.has_ended() && !tasks.have_applied(&sent) && has_patience() {
        show.go_on(feeder.sent())?;
    }
    let is_decided = tasks.have_applied(&sent);
    tasks.stop()?;
    while !show.reader.is_at_end()? && has_patience() {
        show.go_on(feeder.sent())?;
    }
    show.tally.is_early = !is_decided || !show.reader.is_at_end()?;
    show.view.close(&show.tally)?;
    Ok(())
}

/// What is shown, and what there is to show.
struct Show {
    reader: Reader,
    tally: Tally,
    live_from: EventTime,
    view: Box<dyn View>,
}

impl Show {
    /// Shows what arrives within a frame.
    fn go_on(&mut self, sent: u64) -> anyhow::Result<()> {
        for news in self.reader.news(FRAME)? {
            self.tally.count(&news);
            if news.at >= self.live_from && !news.what.is_label() {
                self.view.tell(&news)?;
            }
        }
        self.tally.sent = sent;
        self.view.draw(&self.tally, clock::now())?;
        Ok(())
    }
}

/// The service itself, as `run` starts it.
struct Tasks {
    switch: Arc<AtomicBool>,
    health: Health,
    ended: JoinHandle<Result<(), TaskError>>,
}

impl Tasks {
    fn start(bootstrap: &str, rules: Arc<Ruleset>) -> anyhow::Result<Self> {
        let running = app::start(&config(bootstrap)?, rules)?;
        let (switch, health) = (running.switch(), running.health());
        let ended = std::thread::Builder::new().name("tasks".to_owned()).spawn(move || running.join());
        Ok(Self { switch, health, ended: ended.context("cannot start the tasks")? })
    }

    /// Whether they ended by themselves: they failed.
    fn has_ended(&self) -> bool {
        self.ended.is_finished()
    }

    /// Whether they have decided all that was sent.
    fn have_applied(&self, sent: &Ends) -> bool {
        self.health.have_applied(sent)
    }

    /// Ends them, and says why if they had failed.
    fn stop(self) -> anyhow::Result<()> {
        self.switch.store(true, Ordering::Relaxed);
        self.ended.join().map_err(|_| anyhow!("the tasks' thread panicked"))?.context("the tasks failed")
    }
}

/// How what happens is shown.
trait View {
    /// Takes in one decision or alert.
    fn tell(&mut self, news: &News) -> std::io::Result<()>;
    /// Shows the state of things.
    fn draw(&mut self, tally: &Tally, now: Instant) -> std::io::Result<()>;
    /// Ends with a summary.
    fn close(&mut self, tally: &Tally) -> std::io::Result<()>;
}

fn rules(path: Option<&Path>) -> anyhow::Result<Ruleset> {
    let (file, text) = match path {
        Some(path) => {
            let file = path.display().to_string();
            let text = source::read(path).map_err(|error| Usage(error.to_string()))?;
            (file, text)
        }
        None => (SHOP_NAME.to_owned(), SHOP.to_owned()),
    };
    Ruleset::parse(&file, &text).map_err(|problems| Usage(ConfigError::Invalid(problems).to_string()).into())
}

/// A broker of Kafka's protocol inside this process, with the demo's topics.
fn cluster() -> anyhow::Result<MockCluster<'static, DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("cannot start the broker")?;
    let inputs = Kind::ALL.map(default_topic);
    for topic in
        inputs.into_iter().chain([EVENTS, ALERTS, STATUS, AUDIT, INSIGHTS, PIVOTS, DEAD_LETTERS, JOURNAL, RELAY])
    {
        cluster.create_topic(topic, PARTITIONS, 1).with_context(|| format!("cannot create topic {topic}"))?;
    }
    Ok(cluster)
}

/// The configuration that a file would hold. In the older group protocol this broker lets a first member wait for
/// three seconds.
fn config(bootstrap: &str) -> anyhow::Result<Config> {
    let inputs = Kind::ALL.map(|kind| format!("  {}: {{ topic: {} }}\n", kind.name(), default_topic(kind))).concat();
    let text = format!(
        "app: {APP}\nkafka: {{ bootstrap.servers: \"{bootstrap}\", group.protocol: consumer }}\ntasks: {PARTITIONS}\nrules: shop.yaml\n\
         time: event\nsnapshots: off\nepoch: {{ linger: 50ms }}\ninputs:\n{inputs}outputs: {{ events: {EVENTS}, alerts: {ALERTS}, status: {STATUS}, audit: {AUDIT}, insights: {INSIGHTS}, pivots: {PIVOTS}, dlq: {DEAD_LETTERS} }}\n"
    );
    Config::parse("demo", &text, Path::new(""), []).map_err(|problems| ConfigError::Invalid(problems).into())
}

/// A small shop with much going on: over a year of history, then far more days than anybody watches.
fn shape(seed: u64) -> Shape {
    let mix = "purchase=66,csat=12,mention=8,referral=8,presence=6".parse().expect("a mix of known kinds");
    Shape {
        seed,
        events: EVENTS_A_DAY * DAYS,
        customers: 600,
        span: Duration::from_hours(24 * DAYS),
        mix,
        profiles: 1.0,
        ..Shape::default()
    }
}

const SHOP_NAME: &str = "deploy/examples/shop.yaml";
const SHOP: &str = include_str!("../../deploy/examples/shop.yaml");
const APP: &str = "demo";
const JOURNAL: &str = "demo.journal";
const RELAY: &str = "demo.relay";
const EVENTS: &str = "vip.events";
const ALERTS: &str = "vip.alerts";
const STATUS: &str = "vip.status";
const AUDIT: &str = "vip.audit";
const INSIGHTS: &str = "vip.insights";
const PIVOTS: &str = "vip.pivots";
const DEAD_LETTERS: &str = "vip.dlq";
/// Of every topic, hence also tasks.
const PARTITIONS: i32 = 1;
/// Long enough that orders leave the windows of a year from the first moment.
const HISTORY_DAYS: i64 = 430;
/// Twenty years: more than half an hour of watching at [`DAY`].
const DAYS: u64 = 7_300;
const EVENTS_A_DAY: u64 = 90;
/// How long a day takes.
const DAY: Duration = Duration::from_millis(400);
const DAY_MS: i64 = 86_400_000;
/// How long after the traffic's end the decisions about it are waited for, and how long when interrupted.
const PATIENCE: Duration = Duration::from_mins(5);
const HURRY: Duration = Duration::from_secs(3);
/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
