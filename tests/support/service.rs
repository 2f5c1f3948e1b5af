//! The built binary as an operator runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::shop::Shop;

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

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
        Service::of(self.command(arguments).spawn().expect("the binary starts"))
    }

    /// Starts it with a variable in its environment.
    pub(crate) fn start_with(&self, variable: &str, value: &str) -> Service {
        Service::of(self.command(&[]).env(variable, value).spawn().expect("the binary starts"))
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

/// A running process. What it logs is kept, so that it never waits for a reader.
pub(crate) struct Service {
    child: Child,
    log: Receiver<Value>,
}

impl Service {
    fn of(mut child: Child) -> Self {
        let log = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = log.lines().map_while(Result::ok);
            let mut values = lines.map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line)));
            values.try_for_each(|value| said.send(value))
        });
        Self { child, log: heard }
    }

    /// Reads the log up to the line of this message.
    pub(crate) fn wait_for(&mut self, message: &str) -> Value {
        let mut before = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line["message"] == message {
                return line;
            }
            before.push(line);
        }
        panic!("the service ended or fell silent before it said {message:?}: {before:#?}")
    }

    /// Everything that was logged since last asked.
    pub(crate) fn news(&self) -> Vec<Value> {
        self.log.try_iter().collect()
    }

    /// Sends a signal: `-TERM`, `-STOP`, ...
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running process");
        self.child.wait().expect("a killed process ends");
    }

    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal("-TERM");
        self.end().0
    }

    /// Waits for its end; what it said that is no log line.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("the process ends");
        let said: Vec<String> = self.log.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect();
        (status, said.join("\n"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
        std::thread::sleep(Duration::from_millis(20));
    }
}
