//! Real history through Kafka gives what it gives from files.

#[path = "support/history.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod history;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/topics.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod topics;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn vipstream(arguments: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_vipstream")).args(arguments).output().expect("the binary runs");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn loaded_into_topics_and_run_to_its_end_it_is_decided_as_by_replay() {
    let app = kafka::unique("cdnow");
    let bootstrap = kafka::bootstrap();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("rules.yaml"), history::rules().replace("ruleset: cdnow", &format!("ruleset: {app}"))).unwrap();
    let outputs = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"]
        .map(|name| format!("{name}: {app}.{name}"))
        .join(", ");
    let config = format!(
        "app: {app}\nkafka: {{ bootstrap.servers: \"{bootstrap}\" }}\ntasks: 4\ntime: event\nrules: rules.yaml\nsnapshots: off\n\
         inputs: {{ purchase: {{ topic: {app}.purchases }}, mention: {{ topic: {app}.mentions }} }}\n\
         outputs: {{ {outputs} }}\n"
    );
    std::fs::write(path("vipstream.yaml"), config).unwrap();
    for (kind, name) in [("purchase", "purchases"), ("mention", "mentions")] {
        let file = history::file(&format!("{name}.jsonl")).display().to_string();
        let topic = format!("{app}.{name}");
        vipstream(&[
            "load",
            "--bootstrap",
            bootstrap,
            "--create-topics",
            "4",
            "--from",
            &file,
            "--kind",
            kind,
            "--topic",
            &topic,
        ]);
    }
    vipstream(&["run", "--config", &path("vipstream.yaml"), "--until", history::UNTIL]);

    let inputs =
        ["purchase", "mention"].map(|kind| format!("{kind}={}", history::file(&format!("{kind}s.jsonl")).display()));
    vipstream(&[
        "replay",
        "--rules",
        &path("rules.yaml"),
        "--until",
        history::UNTIL,
        "--output",
        &path("out"),
        "--input",
        &inputs[0],
        "--input",
        &inputs[1],
    ]);
    for name in ["events", "alerts", "status"] {
        let decided = sorted(topics::read_all(bootstrap, &format!("{app}.{name}")).iter().map(topics::Read::json));
        let lines = history::read(Path::new(&path("out")).join(format!("vip.{name}.jsonl")).as_path());
        let replayed = sorted(lines.lines().map(|line| serde_json::from_str(line).expect("an output is JSON")));
        assert!(replayed.len() > 50, "{} {name}", replayed.len());
        for (decided, replayed) in decided.iter().zip(&replayed) {
            assert_eq!(decided, replayed);
        }
        assert_eq!(decided.len(), replayed.len(), "{name}");
    }
}

fn sorted(values: impl Iterator<Item = Value>) -> Vec<String> {
    let mut lines: Vec<String> = values.map(topics::comparable).collect();
    lines.sort_unstable();
    lines
}
