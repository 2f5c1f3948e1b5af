//! `vipstream load` as a person runs it: the built binary, into files and into a Kafka-protocol broker.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

#[path = "support/kafka.rs"]
mod kafka;

fn load(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vipstream")).arg("load").args(args).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(args: &[&str]) -> String {
    let output = load(args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "no progress bar where there is no terminal");
    text(&output.stdout)
}

/// Partition, key and value of every record of a topic, in offset order within a partition.
fn records(bootstrap: &str, topic: &str, partitions: i32, expected: usize) -> Vec<(i32, Option<String>, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assigned = TopicPartitionList::new();
    for partition in 0..partitions {
        assigned.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assigned).unwrap();
    let mut found = Vec::new();
    let begun = Instant::now();
    while found.len() < expected && begun.elapsed() < Duration::from_secs(30) {
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            let record = record.unwrap();
            let key = record.key().map(text);
            found.push((record.partition(), key, text(record.payload().unwrap_or_default())));
        }
    }
    found
}

#[test]
fn the_same_seed_writes_the_same_files_one_a_kind() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, seed: &str| {
        let output = folder.path().join(name);
        let out = done(&["--output", output.to_str().unwrap(), "--events", "5000", "--seed", seed, "--json"]);
        (output, serde_json::from_str::<serde_json::Value>(&out).unwrap())
    };
    let read = |folder: &Path| -> BTreeMap<String, String> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        files
            .map(|file| (text(file.file_name().as_encoded_bytes()), text(&std::fs::read(file.path()).unwrap())))
            .collect()
    };
    let (first, summary) = write("first", "3");
    let (again, _) = write("again", "3");
    let (other, _) = write("other", "4");
    let files = read(&first);
    assert_eq!(files, read(&again));
    assert_ne!(files, read(&other));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["csat.jsonl", "customer.jsonl", "mention.jsonl", "presence.jsonl", "purchase.jsonl", "referral.jsonl"]
    );
    assert_eq!(summary["records"], 5_000);
    for (kind, count) in summary["kinds"].as_object().unwrap() {
        assert_eq!(files[&format!("{kind}.jsonl")].lines().count() as u64, count.as_u64().unwrap(), "{kind}");
    }
}

#[test]
fn a_file_arrives_whole_keyed_by_customer_and_in_order() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("shop.orders", 4, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.jsonl");
    let mut lines: Vec<String> =
        (0..2_000).map(|n| format!(r#"{{"event_id":"{n}","customer_id":"c-{}","n":{n}}}"#, n % 50)).collect();
    lines[700] = "{broken".to_owned();
    lines[900] = String::new();
    std::fs::write(&file, lines.join("\n")).unwrap();

    let out = done(&[
        "--bootstrap",
        &cluster.bootstrap_servers(),
        "--from",
        file.to_str().unwrap(),
        "--kind",
        "purchase",
        "--topic",
        "shop.orders",
    ]);
    assert!(out.starts_with("2,000 records (2,000 purchase) to "), "{out}");

    let found = records(&cluster.bootstrap_servers(), "shop.orders", 4, 2_000);
    let mut values: Vec<&str> = found.iter().map(|(_, _, value)| value.as_str()).collect();
    values.sort_unstable();
    let mut expected: Vec<&str> = lines.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(values, expected);
    let mut homes: BTreeMap<String, (i32, usize)> = BTreeMap::new();
    for (partition, key, value) in &found {
        let Some(key) = key else {
            assert!(value.is_empty() || value == "{broken", "{value}");
            continue;
        };
        let record: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(record["customer_id"], **key);
        let n = usize::try_from(record["n"].as_u64().unwrap()).unwrap();
        let home = homes.entry(key.clone()).or_insert((*partition, n));
        assert_eq!(home.0, *partition, "one customer lies in one partition");
        assert!(home.1 <= n, "in the file's order");
        home.1 = n;
    }
    // Partitions of these keys under the Java client's partitioner, worked out with its published algorithm.
    for key in homes.keys() {
        assert_eq!(homes[key].0, i32::try_from((murmur2(key.as_bytes()) & 0x7fff_ffff) % 4).unwrap(), "{key}");
    }
}

#[test]
fn traffic_fills_the_default_topics() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["vip.purchases", "vip.csat"] {
        cluster.create_topic(topic, 2, 1).unwrap();
    }
    let bootstrap = cluster.bootstrap_servers();
    let out = done(&[
        "--bootstrap",
        &bootstrap,
        "--events",
        "1000",
        "--mix",
        "purchase=1,csat=1",
        "--profiles",
        "0",
        "--json",
    ]);
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    for (topic, kind) in [("vip.purchases", "purchase"), ("vip.csat", "csat")] {
        let count = usize::try_from(summary["kinds"][kind].as_u64().unwrap()).unwrap();
        assert!(count > 400);
        assert_eq!(records(&bootstrap, topic, 2, count).len(), count);
    }
}

#[test]
fn topics_are_created_when_asked_and_events_of_any_year_are_taken() {
    let bootstrap = kafka::bootstrap();
    let topic = kafka::unique("load");
    let said = format!("csat={topic}");
    let fill = |start: &str| {
        let to = ["--bootstrap", bootstrap, "--topic", &said, "--create-topics", "3", "--start", start];
        done(&[&to[..], &["--events", "500", "--mix", "csat=1", "--profiles", "0"]].concat())
    };
    fill("1997-01-01");
    let out = fill("2150-01-01");
    assert!(out.starts_with("500 records (500 csat) to "), "{out}");
    let found = records(bootstrap, &topic, 3, 1_000);
    assert_eq!(found.len(), 1_000);
    assert!(found.iter().any(|(_, _, value)| value.contains("\"1997-")));
    assert!(found.iter().any(|(_, _, value)| value.contains("\"2150-")));
    let used: std::collections::BTreeSet<i32> = found.iter().map(|(partition, _, _)| *partition).collect();
    assert_eq!(used.len(), 3, "as many partitions as asked for");
}

#[test]
fn a_missing_topic_and_an_unreachable_broker_are_one_sentence_with_the_remedy() {
    let cluster = MockCluster::new(1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let output = load(&["--bootstrap", &bootstrap, "--mix", "csat=1", "--profiles", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("vipstream: {bootstrap} has no topic vip.csat: create it, or add --create-topics 4\n");
    assert_eq!(text(&output.stderr), expected);

    cluster.broker_down(-1).unwrap();
    let output = load(&["--bootstrap", &bootstrap, "--events", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with(&format!("vipstream: cannot reach Kafka at {bootstrap} (")), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_allowed() {
    for (args, expected) in [
        (&[][..], "--output <DIR>|--bootstrap <HOST:PORT>"),
        (&["--output", "x", "--mix", "orders=1"], "unknown kind `orders`"),
        (&["--output", "x", "--from", "y"], "--kind <KIND>"),
        (&["--output", "x", "--rate", "0"], "above 0"),
        (&["--output", "x", "--late", "2"], "a number from 0 to 1"),
        (&["--bootstrap", "localhost:1", "--topic", "orders"], "write KIND=TOPIC"),
        (&["--bootstrap", "localhost:1", "--kafka", "no.such.key=1"], "no.such.key"),
    ] {
        let output = load(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(expected), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_missing_file_is_named_before_anything_is_connected() {
    let output = load(&["--bootstrap", "localhost:1", "--input", "purchase=no-such-file.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("vipstream: no-such-file.jsonl: cannot read: No such file"), "{stderr}");
}

/// The Java client's hash of a key.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ u32::try_from(key.len()).unwrap();
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (place, byte) in rest.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}
