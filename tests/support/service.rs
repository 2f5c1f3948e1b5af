//! The built binary as an operator runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::shop::Shop;

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with configuration and rules.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn of(shop: &Shop, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("vipstream.yaml"), shop.config_text(more)).expect("a writable folder");
        std::fs::write(folder.path().join("rules.yaml"), shop.rules_text()).expect("a writable folder");
        Self { folder }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a writable folder");
    }

    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(name)).expect("a readable file");
        assert!(text.contains(from), "{from} in {name}");
        self.write(name, &text.replace(from, to));
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("vipstream.yaml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipstream"));
        command.arg("run").arg("--config").arg(self.config()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Service {
        let mut child = self.command(arguments).spawn().expect("the binary starts");
        let log = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        Service { child, log }
    }

    /// Runs it to its end: its exit code, and what it said last.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let done = self.command(arguments).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&done.stderr);
        // Log lines are JSON here; what remains is the sentence.
        let sentence: Vec<&str> = said.lines().filter(|line| !line.starts_with('{')).collect();
        (done.status.code(), sentence.join("\n"))
    }
}

/// A running process.
pub(crate) struct Service {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Service {
    /// Reads the log up to the line of this message.
    pub(crate) fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a readable log");
            assert!(read > 0, "the service ended before it said {message:?}");
            if let Ok(line) = serde_json::from_str::<Value>(&line)
                && line["message"] == message
            {
                return line;
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running process");
        self.child.wait().expect("a killed process ends");
    }

    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("a readable log");
        self.child.wait().expect("a terminated process ends")
    }
}

/// Asks for a page: status and body.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

/// Tries until it holds.
pub(crate) fn until<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}
