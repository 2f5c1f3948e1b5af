//! Generated streams, with all that customers, accounts and handles do to each other, on a real Apache Kafka: one, four
//! and eight tasks decide what `replay` does.

#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod shop;
mod support {
    #[expect(dead_code, reason = "other tests need the rest")]
    pub mod generate;
    #[expect(dead_code, reason = "the generator alone needs it")]
    pub mod model;
}
#[path = "support/topics.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod topics;

use std::sync::Arc;

use shop::{Decided, Shop};
use support::generate::{Generated, ordered_stream};
use vipstream::model::event::Kind;
use vipstream::rules::ruleset::Ruleset;

/// Streams in which much is done to others, and something decided: merges, accounts and what they hold, referred
/// purchases, resolved cases, places that are few, percentiles of all.
fn entangled() -> impl Iterator<Item = Generated> {
    let streams = (0..).map(ordered_stream);
    streams.filter(|stream| {
        let asks = [
            "applies_to: account",
            "referred_purchase",
            "last_resolved",
            "exceptions:",
            "budget:",
            "settle:",
            "percentile(",
        ];
        let holds = ["\"merged_into\"", "\"account_id\"", "\"referred_customer_id\"", "\"handles\""];
        let lines = || stream.inputs.iter().flat_map(|(_, lines)| lines).map(|line| String::from_utf8_lossy(line));
        asks.iter().all(|what| stream.ruleset.contains(what))
            && holds.iter().all(|what| lines().any(|line| line.contains(what)))
            && decided(&stream.ruleset, stream).decisions.len() >= 10
    })
}

fn decided(rules: &str, stream: &Generated) -> Decided {
    Decided::by_replay(rules, &stream.inputs, Some(shop::UNTIL))
}

fn assert_decides_as_replay(stream: &Generated, tasks: u32) {
    let partitions = |kind: Kind| stream.inputs.iter().filter(|(of, _)| *of == kind).count();
    let shop = Shop::open_reading(&Kind::ALL, |kind| i32::try_from(partitions(kind)).unwrap(), None);
    let producer = topics::producer(&shop.bootstrap);
    for kind in Kind::ALL {
        for (number, (_, lines)) in (0..).zip(stream.inputs.iter().filter(|(of, _)| *of == kind)) {
            for line in lines {
                topics::send(&producer, &shop.input(kind), Some(number), Some(b"anybody"), Some(line));
            }
        }
    }
    topics::flush(&producer);

    let name = stream.ruleset.lines().find(|line| line.starts_with("ruleset:")).unwrap();
    let rules = stream.ruleset.replacen(name, &format!("ruleset: {}", shop.app), 1);
    // At each settlement all tasks come up to each other: what takes replay no time takes them minutes.
    let of_settle = |line: &&str| line.starts_with("settle:");
    let rules = rules
        .lines()
        .map(|line| if of_settle(&line) { "settle: 60d" } else { line }.to_owned() + "\n")
        .collect::<String>();
    let config = shop.config(&format!("time: event\ntasks: {tasks}\nepoch: {{ linger: 1ms, records: 20 }}"));
    let parsed = Arc::new(Ruleset::parse("rules.yaml", &rules).unwrap());
    vipstream::app::start_until(&config, parsed, Some(shop::UNTIL)).unwrap().join().unwrap();

    shop.assert_decided(&decided(&rules, stream));
}

#[test]
fn one_four_and_eight_tasks_decide_as_replay_does() {
    // Tasks mostly wait for each other, so all of them fit beside each other.
    std::thread::scope(|scope| {
        for stream in entangled().take(STREAMS) {
            for tasks in [1, 4, 8] {
                let stream = stream.clone();
                scope.spawn(move || assert_decides_as_replay(&stream, tasks));
            }
        }
    });
}

const STREAMS: usize = 2;
