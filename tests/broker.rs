//! `run` on a real Apache Kafka.

#[path = "support/kafka.rs"]
mod kafka;

#[test]
fn the_broker_answers() {
    assert!(kafka::bootstrap().contains(':'));
}
