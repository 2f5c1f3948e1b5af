//! `vipstream demo` as a newcomer meets it: the built binary, its lines, and its topics from outside.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// A demo under way: its lines as they come.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vipstream"))
            .arg("demo")
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads lines until all of these words have come, each in some line.
    fn wait_for(&mut self, words: &[&str]) {
        let begun = Instant::now();
        let is_missing = |seen: &[String]| words.iter().any(|word| !seen.iter().any(|line| line.contains(word)));
        while is_missing(&self.seen) {
            let left = Duration::from_mins(5).saturating_sub(begun.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("{words:?} did not come: {:#?}", self.seen) };
            self.seen.push(line);
        }
    }

    /// Reads to the end; the exit code.
    fn end(&mut self) -> Option<i32> {
        self.seen.extend(self.lines.iter());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has ended cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn grants_revocations_and_alerts_are_told_with_who_and_why_until_interrupted() {
    let mut demo = Demo::start(&[]);
    demo.wait_for(&["  granted   ", "  revoked   ", "  alert     "]);

    let granted = demo.seen.iter().find(|line| line.contains("  granted   ")).unwrap();
    let (_, said) = granted.split_once("  granted   ").unwrap();
    assert!(said.contains(" (c-000") && said.contains(": "), "a name, an id and a reason: {granted}");
    let header = demo.seen[..5].join("\n");
    assert!(header.contains("written rules decide who\nis a VIP now") && header.contains("Ctrl-C"), "{header}");

    let bootstrap = header.split("kcat -b ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    let record = first_record(&bootstrap, "vip.events");
    let decision: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert!(decision["evidence"].is_array(), "{decision}");
    let (start, _) = visitor(&bootstrap).fetch_watermarks("vip.purchases", 0, Duration::from_secs(30)).unwrap();
    assert_eq!(start, 0, "the broker has room for the history");

    let interrupted = Command::new("kill").args(["-INT", &demo.child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(demo.end(), Some(0));
    let summary = demo.seen.iter().find(|line| line.starts_with("big_spender")).expect("a row a programme in the end");
    let numbers: Vec<u32> = summary.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] >= numbers[2] && numbers[2] > 0, "granted, revoked, held: {summary}");
}

#[test]
fn it_ends_by_itself_once_all_is_decided_and_takes_other_rules() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("mine.yaml");
    let text = "
ruleset: mine
currency: EUR
timezone: UTC
features: { orders: { count: purchase } }
programmes: { regular: { profile: value, grant: orders >= 3 } }
";
    std::fs::write(&rules, text).unwrap();
    let mut demo = Demo::start(&["--seconds", "1", "--rules", rules.to_str().unwrap()]);
    assert_eq!(demo.end(), Some(0));
    assert!(demo.seen.iter().any(|line| line.ends_with(" VIPs in the end")), "{:#?}", demo.seen);
    assert!(demo.seen.iter().any(|line| line.starts_with("regular ")), "{:#?}", demo.seen);
}

#[test]
fn rules_that_are_wrong_are_named_with_exit_code_2() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_vipstream")).args(["demo", "--rules", "no-such.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("vipstream: no-such.yaml: cannot read: "), "{stderr}");
}

fn first_record(bootstrap: &str, topic: &str) -> Vec<u8> {
    let consumer = visitor(bootstrap);
    let mut topics = TopicPartitionList::new();
    topics.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&topics).unwrap();
    let record = consumer.poll(Duration::from_secs(30)).expect("a record comes").unwrap();
    record.payload().unwrap().to_vec()
}

fn visitor(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", "visitor").create().unwrap()
}
