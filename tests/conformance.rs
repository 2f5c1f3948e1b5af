//! What the simulation takes for granted holds on a real Apache Kafka: both play one script, and one text says what is
//! seen of it.

#[path = "support/conformance.rs"]
mod conformance;
#[path = "support/kafka.rs"]
mod kafka;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/topics.rs"]
mod topics;

use std::path::Path;

use vipstream::broker::group::Member;
use vipstream::broker::kafka::Kafka;
use vipstream::config::Config;

#[test]
fn the_real_broker_answers_as_the_simulated_one() {
    let (app, bootstrap) = (kafka::unique("conformance"), kafka::bootstrap());
    for name in ["purchase", "relay", "journal"] {
        topics::create(bootstrap, &format!("{app}.{name}"), 1);
    }
    let text = format!(
        "app: {app}
kafka: {{ bootstrap.servers: \"{bootstrap}\", topic.metadata.propagation.max.ms: 500 }}
tasks: 1
rules: rules.yaml
snapshots: off
inputs: {{ purchase: {{ topic: {app}.purchase }} }}"
    );
    let config = Config::parse("vipstream.yaml", &text, Path::new("."), []).expect("a configuration");
    let open = || Kafka::open(&config, 0, Member::default()).expect("a connection");
    let log = conformance::play(&app, &mut open(), &mut open());
    assert_eq!(log, include_str!("golden/conformance.txt"), "{log}");
}
