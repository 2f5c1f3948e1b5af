//! A real Apache Kafka for a test binary: started once from the jars that `tests/run` fetched, and gone with
//! the binary, however that ends: the broker's parent is a shell that kills it when its standard input closes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// What a test says that finds no Kafka: never silently green.
const NEEDED: &str = "these tests need Kafka: run tests/run, or set VIPSTREAM_TEST_KAFKA=host:port";

/// Runs the broker (`"$@"` after the first argument), ends it when standard input does, and removes its folder (`$1`)
/// unless it is to be kept.
const WATCHED: &str = r#"
folder=$1; shift; exec 3<&0
"$@" >"$folder/broker.log" 2>&1 </dev/null & broker=$!
{ cat <&3 >/dev/null; kill -9 $broker 2>/dev/null; } & watch=$!
wait $broker; kill $watch 2>/dev/null
[ -e "$folder/keep" ] || rm -rf "$folder"
"#;

const STARTS: u32 = 3;
const READY_WITHIN: Duration = Duration::from_mins(5);

/// The address of the test binary's Kafka, which the first caller starts.
///
/// # Panics
/// Where there is none to be had: the test fails and says how to get one.
pub(crate) fn bootstrap() -> &'static str {
    static ADDRESS: OnceLock<(String, Option<Broker>)> = OnceLock::new();
    &ADDRESS.get_or_init(find).0
}

/// A broker on a folder and an address of its own.
pub(crate) struct Broker {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) address: String,
    pub(crate) process: Child,
}

/// A name that no other test, nor an earlier run on the same broker, uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let run = std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_millis();
    format!("{name}-{run:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn find() -> (String, Option<Broker>) {
    if let Ok(address) = std::env::var("VIPSTREAM_TEST_KAFKA") {
        return (address, None);
    }
    let broker = Broker::start();
    (broker.address.clone(), Some(broker))
}

impl Broker {
    /// Starts a broker with nothing in it.
    ///
    /// # Panics
    /// Where there is none to be had.
    pub(crate) fn start() -> Self {
        // Another process may take a free port before the broker does: then once more, with others.
        let started = (0..STARTS).find_map(|_| Self::try_start());
        started.expect("the test Kafka starts: see the log above")
    }

    fn try_start() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("vipstream-kafka-").tempdir().expect("a temporary folder");
        let address = format!("127.0.0.1:{}", free_port());
        std::fs::write(folder.path().join("server.properties"), properties(folder.path(), &address))
            .expect("a writable folder");
        format_storage(folder.path());
        let process = spawn(folder.path());
        let mut broker = Self { folder, address, process };
        broker.is_ready().then_some(broker)
    }

    /// Whether it answers before it ends or its time is up.
    pub(crate) fn is_ready(&mut self) -> bool {
        let ready = is_ready(&self.address, &mut self.process);
        if !ready {
            eprintln!("{}", std::fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default());
        }
        ready
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

pub(crate) fn spawn(folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", WATCHED, "sh"])
        .arg(folder)
        .arg("java")
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", &class_path(), "kafka.Kafka"])
        .arg(folder.join("server.properties"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh and java can be started")
}

fn properties(folder: &Path, address: &str) -> String {
    let controller = format!("127.0.0.1:{}", free_port());
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{address},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{address}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=10000
group.consumer.min.session.timeout.ms=1000
group.consumer.heartbeat.interval.ms=500
group.consumer.min.heartbeat.interval.ms=100
log.message.timestamp.after.max.ms=9223372036854775807
message.max.bytes=17825792
",
        folder.join("data").display()
    )
}

fn format_storage(folder: &Path) {
    let formatted = Command::new("java")
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-XX:TieredStopAtLevel=1", "-cp", &class_path()])
        .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
        .arg(folder.join("server.properties"))
        .output()
        .expect("java can be started");
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
}

fn class_path() -> String {
    let Ok(libs) = std::env::var("VIPSTREAM_TEST_KAFKA_LIBS") else { panic!("{NEEDED}") };
    PathBuf::from(libs).join("*").display().to_string()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound port").port()
}

/// Whether the broker answers before it ends or its time is up.
fn is_ready(address: &str, broker: &mut Child) -> bool {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("reconnect.backoff.max.ms", "200")
        .set("log_level", "0")
        .create()
        .expect("a client");
    let begun = Instant::now();
    while begun.elapsed() < READY_WITHIN && matches!(broker.try_wait(), Ok(None)) {
        // Without a broker: it listens, and does not know of itself yet.
        if client.fetch_metadata(None, Duration::from_secs(1)).is_ok_and(|found| !found.brokers().is_empty()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
