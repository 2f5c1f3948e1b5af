//! Several processes of one app, and what can befall them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::kafka::{self, Broker};

/// Processes that share an app's tasks. Their logs lie in files.
pub(crate) struct Fleet {
    folder: PathBuf,
    members: Vec<Child>,
    /// Of each process, the number of its log.
    logs: Vec<usize>,
    started: usize,
}

impl Fleet {
    /// Starts as many processes on `vipstream.yaml` in the folder.
    pub(crate) fn start(folder: &Path, size: usize) -> Self {
        let mut fleet = Self { folder: folder.to_owned(), members: Vec::new(), logs: vec![0; size], started: 0 };
        for member in 0..size {
            let member = fleet.spawn(member);
            fleet.members.push(member);
        }
        fleet
    }

    fn spawn(&mut self, member: usize) -> Child {
        self.started += 1;
        self.logs[member] = self.started;
        let log = File::create(self.log(self.started)).expect("a writable folder");
        Command::new(env!("CARGO_BIN_EXE_vipstream"))
            .arg("run")
            .arg("--config")
            .arg(self.folder.join("vipstream.yaml"))
            .env("VIPSTREAM_SNAPSHOTS__STORE", format!("file:{}", self.store(member).display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts")
    }

    fn log(&self, number: usize) -> PathBuf {
        self.folder.join(format!("process-{number}.log"))
    }

    /// Waits until every process has started, but those that are frozen: one that starts needs a broker.
    pub(crate) fn wait_until_started(&mut self, frozen: Option<usize>) {
        for member in (0..self.members.len()).filter(|member| Some(*member) != frozen) {
            let log = self.log(self.logs[member]);
            while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("\"message\":\"started\"")) {
                assert_eq!(self.fallen(), None);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Kills a process and starts another in its place.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].kill().expect("a running process");
        self.members[member].wait().expect("a killed process ends");
        self.members[member] = self.spawn(member);
    }

    /// The folder of a process's snapshots: a disk of its own.
    fn store(&self, member: usize) -> PathBuf {
        self.folder.join(format!("state-{member}"))
    }

    /// Removes all snapshots of a process, while it runs or not.
    pub(crate) fn wipe(&self, member: usize) {
        // What is being written at this moment may make it fail: then the rest goes with the next one.
        let _ = std::fs::remove_dir_all(self.store(member));
    }

    /// How many log lines of all processes hold all of these texts.
    pub(crate) fn said(&self, all: &[&str]) -> usize {
        let logs = (1..=self.started).map(|number| self.log(number));
        let texts = logs.filter_map(|path| std::fs::read_to_string(path).ok());
        texts.map(|log| log.lines().filter(|line| all.iter().all(|text| line.contains(text))).count()).sum()
    }

    /// Stops a process in the middle of whatever it does, or lets it go on.
    pub(crate) fn freeze(&self, member: usize, frozen: bool) {
        self.signal(member, if frozen { "-STOP" } else { "-CONT" });
    }

    /// Processes that have ended by themselves, with the end of what they said.
    pub(crate) fn fallen(&mut self) -> Option<String> {
        let fallen = self.members.iter_mut().position(|member| !matches!(member.try_wait(), Ok(None)))?;
        Some(format!("process {fallen} ended: {}", self.last_words()))
    }

    fn last_words(&self) -> String {
        let logs = (1..=self.started).map(|number| self.log(number));
        let ends = logs.filter_map(|path| std::fs::read_to_string(path).ok()).map(|log| {
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(5)..].join("\n")
        });
        ends.collect::<Vec<_>>().join("\n---\n")
    }

    /// How much memory each process has, in bytes.
    pub(crate) fn memory(&self) -> Vec<u64> {
        let resident = |member: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", member.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
        };
        self.members.iter().map(resident).collect()
    }

    /// Asks all to end; each must do so well, or in the middle of what takes too long.
    pub(crate) fn end(mut self) {
        for member in 0..self.members.len() {
            self.signal(member, "-TERM");
        }
        let codes: Vec<_> =
            self.members.iter_mut().map(|member| member.wait().expect("a process ends").code()).collect();
        let is_late = self.last_words().contains(TOO_LONG);
        let is_well = |code: &Option<i32>| *code == Some(0) || is_late && *code == Some(1);
        assert!(codes.iter().all(is_well), "exit codes {codes:?}: {}", self.last_words());
    }

    fn signal(&self, member: usize, signal: &str) {
        let pid = self.members[member].id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

/// Kills the broker, as a crash would, and starts it again on what it had written.
pub(crate) fn crash(broker: &mut Broker) {
    let keep = broker.folder.path().join("keep");
    std::fs::write(&keep, "").expect("a writable folder");
    drop(broker.process.stdin.take());
    let _ = broker.process.wait();
    std::fs::remove_file(&keep).expect("the folder was kept");
    broker.process = kafka::spawn(broker.folder.path());
    assert!(broker.is_ready(), "the test Kafka comes back: see the log above");
}

/// What a process says on a machine so busy that a task does not end in time: whoever comes next goes on from there.
const TOO_LONG: &str = "not every task ended within";
