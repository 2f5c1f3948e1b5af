//! `run` on a real Apache Kafka: what only it can show.

#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/shop.rs"]
mod shop;
#[path = "support/topics.rs"]
mod topics;

use shop::Shop;

#[test]
fn run_decides_as_replay_does() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(3_000));
    shop.run_to_the_end();
    let expected = shop.replayed();
    assert!(expected.decisions.len() > 50, "{} decisions", expected.decisions.len());
    assert!(expected.alerts.len() > 10, "{} alerts", expected.alerts.len());
    shop.assert_decided(&expected);
}
