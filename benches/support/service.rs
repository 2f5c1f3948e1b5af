//! The built binary at work, and what its metrics say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::shop::{Shop, rules_text};

/// A running process.
pub struct Service {
    child: Child,
    folder: PathBuf,
    address: String,
}

impl Service {
    /// Starts it with snapshots as often as may be, in a folder that outlasts it. A restart takes its place in the
    /// group at once.
    pub fn start(shop: &Shop, folder: &Path) -> Self {
        let store = folder.join("store");
        Self::start_as(&shop.app, shop, folder, &format!("{{ store: \"file:{}\", every: 10s }}", store.display()))
    }

    /// The same without any, as another app on the same inputs.
    pub fn without_snapshots(shop: &Shop, folder: &Path) -> Self {
        Self::start_as(&format!("{}-without", shop.app), shop, folder, "off")
    }

    fn start_as(app: &str, shop: &Shop, folder: &Path, snapshots: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let more = format!("http: 127.0.0.1:{port}\nsnapshots: {snapshots}\n");
        let config = shop.config_text(app, "group.instance.id: one, session.timeout.ms: 120000, ", &more);
        std::fs::write(folder.join("vipstream.yaml"), config).expect("a writable folder");
        std::fs::write(folder.join("rules.yaml"), rules_text()).expect("a writable folder");
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log"));
        let child = Command::new(env!("CARGO_BIN_EXE_vipstream"))
            .args(["run", "--config"])
            .arg(folder.join("vipstream.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a writable folder"))
            .spawn()
            .expect("the binary starts");
        Self { child, folder: folder.to_owned(), address: format!("127.0.0.1:{port}") }
    }

    /// Records applied so far, and how many tasks are writing a snapshot.
    pub fn records_and_under_way(&self) -> (f64, f64) {
        let metrics = self.metrics();
        (sum(&metrics, "vipstream_task_records_total"), sum(&metrics, "vipstream_task_snapshots_under_way"))
    }

    /// Snapshots published so far.
    pub fn published(&self) -> f64 {
        sum(&self.metrics(), "vipstream_task_snapshots_total")
    }

    /// Seconds that the slowest task took to restore.
    pub fn slowest_restore(&self) -> f64 {
        values(&self.metrics(), "vipstream_task_restore_seconds").into_iter().fold(0.0, f64::max)
    }

    /// Bytes in memory.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
    }

    /// Kills it; what is left is its folder.
    pub fn kill(mut self) -> PathBuf {
        self.child.kill().expect("a running process");
        self.child.wait().expect("a killed process ends");
        self.folder.clone()
    }

    /// Sends a signal: `-TERM`, `-STOP`, ...
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }

    /// Asks it to end.
    pub fn end(mut self) {
        self.signal("-TERM");
        self.child.wait().expect("the process ends");
    }

    /// What it tells Prometheus; nothing before it serves.
    fn metrics(&self) -> String {
        let mut answer = String::new();
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return answer };
        let asked = stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).is_ok();
        if asked {
            // What has come so far is what there is.
            let _ = stream.read_to_string(&mut answer);
        }
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sum(metrics: &str, name: &str) -> f64 {
    values(metrics, name).into_iter().sum()
}

fn values(metrics: &str, name: &str) -> Vec<f64> {
    let lines = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect()
}

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Size {
    pub bytes: u64,
    pub manifests: u64,
}

/// Adds up what lies below a folder.
pub fn size_of(folder: &Path) -> Size {
    let mut size = Size::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                size.manifests += u64::from(path.extension().is_some_and(|it| it == "manifest"));
                size.bytes += entry.metadata().map_or(0, |it| it.len());
            }
        }
    }
    size
}
