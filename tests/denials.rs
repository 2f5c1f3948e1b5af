//! What a user without every right is told, on a real Apache Kafka with access rules.

#[path = "support/admin.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod admin;
#[path = "support/kafka.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod kafka;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use admin::Admin;
use kafka::Broker;

const RULES: &str = "
ruleset: shop
currency: EUR
features: { spend_30d: { sum: purchase.amount, over: 30d } }
programmes: { big: { profile: value, grant: spend_30d >= 100 } }
";

/// A broker that knows access rules; where there are none for a thing, everybody may do everything.
fn guarded() -> Broker {
    let mut broker = Broker::start();
    let (keep, properties) = (broker.folder.path().join("keep"), broker.folder.path().join("server.properties"));
    std::fs::write(&keep, "").unwrap();
    drop(broker.process.stdin.take());
    broker.process.wait().unwrap();
    std::fs::remove_file(&keep).unwrap();
    let more = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                allow.everyone.if.no.acl.found=true\n";
    std::fs::write(&properties, std::fs::read_to_string(&properties).unwrap() + more).unwrap();
    broker.process = kafka::spawn(broker.folder.path());
    assert!(broker.is_ready());
    broker
}

const TOPIC: u8 = 2;
const GROUP: u8 = 3;
const ALL: u8 = 2;
const READ: u8 = 3;

/// Allows a user one thing and hence everybody else nothing: a `CreateAcls` request of version 1.
fn allow(broker: &Broker, resource: u8, name: &str, user: &str, operation: u8) {
    let text = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let head = [&30_u16.to_be_bytes()[..], &1_u16.to_be_bytes(), &7_u32.to_be_bytes(), &text("test")].concat();
    let user = text(&format!("User:{user}"));
    let rule = [&[resource][..], &text(name), &[3], &user, &text("*"), &[operation, 3]].concat();
    let request = [head, 1_u32.to_be_bytes().to_vec(), rule].concat();
    let mut stream = TcpStream::connect(&broker.address).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    // Length, correlation, throttling, count, and the error's code.
    let mut answer = [0; 18];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[16..], [0, 0], "the rule is accepted");
}

#[test]
fn each_right_that_is_missing_is_named() {
    let broker = guarded();
    let admin = Admin::of(&broker.address);
    for topic in ["orders", "surveys", "posts"] {
        admin.create(topic, 1, &[]);
    }
    allow(&broker, TOPIC, "surveys", "somebody", ALL);
    allow(&broker, TOPIC, "posts", "ANONYMOUS", READ);
    allow(&broker, GROUP, "shop", "somebody", ALL);
    let folder = tempfile::tempdir().unwrap();
    let inputs = "purchase: { topic: orders }, csat: { topic: surveys }, mention: { topic: posts }";
    let config = format!(
        "app: shop\nkafka: {{ bootstrap.servers: \"{}\" }}\ntasks: 1\nrules: rules.yaml\nsnapshots: off\ninputs: {{ {inputs} }}\n",
        broker.address
    );
    std::fs::write(folder.path().join("vipstream.yaml"), config).unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    let vipstream = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipstream"));
        let done = command.args(arguments).arg("--config").arg(folder.path().join("vipstream.yaml")).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };

    let begun = Instant::now();
    let (code, out, error) = loop {
        let said = vipstream(&["check", "--cluster"]);
        // The controller knows the rules before the broker does.
        if said.2.contains("2 problems") || begun.elapsed() > Duration::from_mins(1) {
            break said;
        }
    };
    assert_eq!(code, Some(1), "{error}");
    for problem in [
        "2 problems",
        "surveys is hidden from this user",
        "the broker does not let this user look at topic surveys: allow Describe on topic surveys",
        "group shop could not be looked into",
        "the broker does not let this user look at group shop: allow Read on group shop",
    ] {
        assert!(error.contains(problem), "{problem}: {error}");
    }
    assert!(
        out.contains("note: the broker does not say what settings posts has\n      allow DescribeConfigs"),
        "{out}"
    );

    let (code, out, _) = vipstream(&["topics"]);
    assert_eq!(code, Some(1));
    let row = out.lines().find(|line| line.starts_with("surveys")).unwrap();
    assert!(row.contains("hidden"), "{out}");

    let (code, _, error) = vipstream(&["run"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("allow Describe on topic surveys"), "{error}");
}
