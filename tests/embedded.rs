//! The app on the client library's in-process broker, as the demo runs it: no Kafka needed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vipstream::config::Config;
use vipstream::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: shop
currency: EUR
features: { spend_30d: { sum: purchase.amount, over: 30d } }
programmes: { big: { profile: value, grant: spend_30d >= 100 } }
";

fn config_text(bootstrap: &str) -> String {
    format!(
        "app: shop
kafka: {{ bootstrap.servers: \"{bootstrap}\" }}
tasks: 2
rules: rules.yaml
time: event
snapshots: off
inputs: {{ purchase: {{ topic: vip.purchases }} }}"
    )
}

fn config(bootstrap: &str) -> Config {
    Config::parse("vipstream.yaml", &config_text(bootstrap), Path::new("."), []).unwrap()
}

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    for topic in [
        "vip.purchases",
        "shop.journal",
        "shop.relay",
        "vip.events",
        "vip.alerts",
        "vip.status",
        "vip.audit",
        "vip.insights",
        "vip.pivots",
        "vip.dlq",
    ] {
        cluster.create_topic(topic, 2, 1).unwrap();
    }
    cluster
}

#[test]
fn decides_and_restarts_on_the_embedded_broker() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_servers();
    let rules = Arc::new(Ruleset::parse("rules.yaml", RULES).unwrap());
    let config = config(&bootstrap);
    let mut producer = ClientConfig::new();
    producer.set("bootstrap.servers", &bootstrap).set("partitioner", "murmur2_random");
    let producer: BaseProducer = producer.create().unwrap();

    let running = vipstream::app::start(&config, Arc::clone(&rules)).unwrap();
    buy(&producer, "ann", 1);
    assert_eq!(granted(&bootstrap, 1), ["ann"]);
    running.stop();
    running.join().unwrap();

    let running = vipstream::app::start(&config, rules).unwrap();
    buy(&producer, "bob", 2);
    assert_eq!(granted(&bootstrap, 2), ["ann", "bob"], "nothing again, nothing lost");
    running.stop();
    running.join().unwrap();
}

#[test]
fn asked_to_end_it_ends_although_the_broker_is_out_of_reach() {
    let cluster = cluster();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vipstream.yaml"), config_text(&cluster.bootstrap_servers())).unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vipstream"))
        .args(["run", "--config"])
        .arg(folder.path().join("vipstream.yaml"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    while said.iter().filter(|line: &&String| line.contains("started anew")).count() < 2 {
        said.extend(Some(lines.next().unwrap_or_else(|| panic!("not every task has started: {said:#?}"))));
    }
    drop(cluster);
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().code().is_some(), "{rest:#?}");
    eprintln!("ended {:.1} s after it was asked to", asked.elapsed().as_secs_f64());
}

fn buy(producer: &BaseProducer, customer: &str, number: u32) {
    let value = format!(
        r#"{{"event_id":"e{number}","customer_id":"{customer}","occurred_at":"2025-03-0{number}T10:00:00Z","order_id":"o{number}","amount":"150","currency":"EUR","status":"completed"}}"#
    );
    producer.send(BaseRecord::to("vip.purchases").key(customer).payload(&value)).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(20)).unwrap();
}

/// Who was granted, once there are so many decisions; by name.
fn granted(bootstrap: &str, count: usize) -> Vec<String> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", "reader").create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..2 {
        list.add_partition_offset("vip.events", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let started = Instant::now();
    let mut found = Vec::new();
    while found.len() < count {
        assert!(started.elapsed() < Duration::from_mins(5), "{found:?}");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let decision: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(decision["type"], "vip.granted");
        found.push(decision["customer_id"].as_str().unwrap().to_owned());
    }
    found.sort_unstable();
    found
}
