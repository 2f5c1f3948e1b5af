use super::*;
use crate::snapshot::Pace;

const WHOLE: &str = r#"
app: acme
kafka: { bootstrap.servers: "localhost:9092", client.rack: a, socket.keepalive.enable: true, linger.ms: 3 }
tasks: 4
rules: rules.yaml
time: event
start: latest
inputs:
  purchase: { topic: shop.orders, format: json }
  mention: { topic: shop.mentions }
outputs: { events: shop.vip }
epoch: { linger: 20ms, records: 500 }
merge_hold: 3s
dead_letter: { brake: 20% of 50 }
snapshots: { store: file:kept/here, every: 30s, keep: 2 }
http: 127.0.0.1:9464
"#;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("vipstream.yaml", text, Path::new("/etc/acme"), variables)
        .map_err(|problems| ConfigError::Invalid(problems).to_string())
}

#[test]
fn every_section_is_read() {
    let config = parse(WHOLE, &[]).unwrap();
    assert_eq!(config.journal(), "acme.journal");
    assert_eq!(config.kafka.0["linger.ms"], "3");
    assert_eq!(config.kafka.0["socket.keepalive.enable"], "true");
    assert_eq!(config.tasks, 4);
    assert_eq!(config.rules, Path::new("/etc/acme/rules.yaml"));
    assert_eq!(config.time, TimeMode::Event);
    assert_eq!(config.start, Start::Latest);
    assert_eq!(config.inputs[&Kind::Purchase], "shop.orders");
    assert_eq!(config.outputs, Outputs { events: "shop.vip".into(), ..Outputs::default() });
    assert_eq!(config.epoch, EpochBounds { linger: Duration::from_millis(20), records: 500 });
    assert_eq!(config.merge_hold, Duration::from_secs(3));
    assert_eq!(config.brake, Brake { percent: 20, of: 50 });
    let pace = Pace { every: Duration::from_secs(30), keep: 2 };
    assert_eq!(
        config.snapshots,
        Some(Snapshots { store: Place::Folder("/etc/acme/kept/here".into()), line: 15, pace })
    );
    assert_eq!(config.http.unwrap().port(), 9464);
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = "
app: acme
kafka: { bootstrap.servers: a:1 }
tasks: 1
rules: /rules.yaml
inputs: { purchase: { topic: t } }";
    let config = parse(text, &[]).unwrap();
    assert_eq!(config.time, TimeMode::Live);
    assert_eq!(config.start, Start::Earliest);
    assert_eq!(config.epoch, EpochBounds { linger: Duration::from_millis(5), records: 10_000 });
    assert_eq!(config.merge_hold, Duration::from_secs(2));
    assert_eq!(config.brake, Brake { percent: 50, of: 1_000 });
    assert_eq!(config.outputs, Outputs::default());
    assert_eq!((config.outputs.status.as_str(), config.outputs.audit.as_str()), ("vip.status", "vip.audit"));
    assert_eq!((config.outputs.insights.as_str(), config.outputs.pivots.as_str()), ("vip.insights", "vip.pivots"));
    let pace = Pace { every: Duration::from_mins(5), keep: 3 };
    assert_eq!(config.snapshots, Some(Snapshots { store: Place::Folder("/etc/acme/state".into()), line: 2, pace }));
    assert_eq!(config.http, None);
}

fn store_of(section: &str) -> Result<String, String> {
    let text = WHOLE.replace("{ store: file:kept/here, every: 30s, keep: 2 }", section);
    parse(&text, &[]).map(|config| config.snapshots.map_or("off".to_owned(), |snapshots| snapshots.store.to_string()))
}

#[test]
fn snapshots_go_to_a_folder_or_a_bucket_or_nowhere() {
    for (section, store) in [
        ("off", "off"),
        ("{ store: file:./state }", "file:/etc/acme/./state"),
        ("{ store: \"file:///var/lib/acme\" }", "file:/var/lib/acme"),
        ("{ store: \"s3://bucket/a/b/\" }", "s3://bucket/a/b"),
        ("{ store: \"gs://bucket\" }", "gs://bucket"),
        ("{ store: \"az://container/prefix\" }", "az://container/prefix"),
    ] {
        assert_eq!(store_of(section).unwrap(), store);
    }
    let variables = [("VIPSTREAM_SNAPSHOTS", "off")];
    assert_eq!(parse(WHOLE, &variables).unwrap().snapshots, None);
}

#[test]
fn what_is_no_store_or_no_pace_is_refused() {
    insta::assert_snapshot!(store_of("{ store: state, every: 5, keep: 1 }").unwrap_err(), @r#"
    3 problems
      vipstream.yaml:15 snapshots.store: "state" is no store
          write file:./state, file:///var/lib/vipstream, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
      vipstream.yaml:15 snapshots.every: "5" has no unit
          write "5s" or "5m"; allowed 10s to 1h, default 5m
      vipstream.yaml:15 snapshots.keep: "1" is not allowed
          a whole number from 2 to 100
    "#);
    insta::assert_snapshot!(store_of("{ every: 2h }").unwrap_err(), @r#"
    1 problem
      vipstream.yaml:15 snapshots.every: "2h" is not allowed
          allowed 10s to 1h, default 5m
    "#);
    insta::assert_snapshot!(store_of("on").unwrap_err(), @r#"
    1 problem
      vipstream.yaml:15 snapshots: "on" is not known
          write off, or { store: file:./state, every: 5m, keep: 3 }
    "#);
    for store in ["file:", "file://host/path", "s3:bucket", "s3://", "s3://key:secret@bucket", "http://a/b"] {
        let said = store_of(&format!("{{ store: \"{store}\" }}")).unwrap_err();
        assert!(said.contains(&format!("snapshots.store: \"{store}\" is no store")), "{said}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("VIPSTREAM_TASKS", "2"),
        ("VIPSTREAM_EPOCH__LINGER", "7ms"),
        ("VIPSTREAM_KAFKA__BOOTSTRAP_SERVERS", "kafka:9093"),
        ("VIPSTREAM_KAFKA__SASL_PASSWORD", "geheim"),
        ("VIPSTREAM_INPUTS__CSAT__TOPIC", "shop.csat"),
        ("VIPSTREAM_SERVICE_HOST", "10.0.0.1"),
        ("VIPSTREAM_LOG", "debug"),
    ];
    let config = parse(WHOLE, &variables).unwrap();
    assert_eq!(config.tasks, 2);
    assert_eq!(config.epoch, EpochBounds { linger: Duration::from_millis(7), records: 500 });
    assert_eq!(config.kafka.bootstrap(), "kafka:9093");
    assert_eq!(config.kafka.0["sasl.password"], "geheim");
    assert_eq!(config.inputs[&Kind::Csat], "shop.csat");
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn a_secret_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "geheim\n").unwrap();
    let text = WHOLE.replace("client.rack: a", "sasl.password.file: password");
    let config = Config::parse("vipstream.yaml", &text, folder.path(), []).unwrap();
    assert_eq!(config.kafka.0["sasl.password"], "geheim");
}

fn with_kafka(properties: &str) -> Result<Config, String> {
    parse(&WHOLE.replace("client.rack: a", properties), &[])
}

#[test]
fn what_concerns_the_group_is_kept_from_the_other_clients() {
    let config = with_kafka("group.instance.id: pod-1, session.timeout.ms: 6000, client.rack: a").unwrap();
    let common: Vec<&str> = config.kafka.common().map(|(name, _)| name).collect();
    assert_eq!(common, ["bootstrap.servers", "client.rack", "linger.ms", "socket.keepalive.enable"]);
    let membership = config.kafka.membership();
    let membership: Vec<String> = membership.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        membership,
        [
            "group.instance.id=pod-1",
            "heartbeat.interval.ms=500",
            "partition.assignment.strategy=cooperative-sticky",
            "session.timeout.ms=6000"
        ]
    );
}

#[test]
fn where_the_broker_assigns_it_says_the_times_too() {
    let config = with_kafka("group.protocol: consumer, group.remote.assignor: uniform").unwrap();
    let names: Vec<&str> = config.kafka.membership().into_keys().collect();
    assert_eq!(names, ["group.protocol", "group.remote.assignor"]);
    insta::assert_snapshot!(with_kafka("group.protocol: consumer, session.timeout.ms: 6000").unwrap_err(), @r"
    1 problem
      vipstream.yaml:3 kafka.session.timeout.ms: cannot be set with `group.protocol: consumer`
          leave it out: with this protocol the broker says (group.consumer.* there), and assigns
    ");
}

#[test]
fn a_group_that_could_not_work_is_refused() {
    let properties = "partition.assignment.strategy: range, heartbeat.interval.ms: 4000, max.poll.interval.ms: 9000, group.remote.assignor: range";
    insta::assert_snapshot!(with_kafka(properties).unwrap_err(), @r#"
    4 problems
      vipstream.yaml:3 kafka.partition.assignment.strategy: "range" is not supported, cooperative-sticky is
          leave it out: any other stops every task whenever one moves
      vipstream.yaml:3 kafka.group.remote.assignor: means something with `group.protocol: consumer` alone
          leave it out, or choose that protocol
      vipstream.yaml:3 kafka.heartbeat.interval.ms: 4000 is too long for a session of 10000 ms
          at most a third of it, so that one lost heartbeat does not cost the membership
      vipstream.yaml:3 kafka.max.poll.interval.ms: 9000 is shorter than the session of 10000 ms
          default 300000
    "#);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = r#"
app: ac me
kafka: { bootstrap.server: "localhost:9092", isolation.level: read_uncommitted, linger.ms: soon }
tasks: 0
rules: rules.yaml
time: liv
inputs:
  purchase: { topic: shop.orders, format: avro, tpic: x }
  purchases: { topic: b }
epoch: { linger: 5 }
dead_letter: { brake: half }
snapshots: { every: 5, keep: 1, stor: x }
http: here
mergehold: 2s
"#;
    insta::assert_snapshot!(parse(text, &[]).unwrap_err());
}
