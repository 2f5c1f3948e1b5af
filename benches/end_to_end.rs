//! The whole service on a real Apache Kafka, beside what it is measured against in the same run: reading alone,
//! reading and decoding, and a transactional pass-through that decides nothing but writes as many outputs with as
//! many producers.
//!
//! `tests/run --release --bench end_to_end` (it fetches Kafka); with `-- --quick` a twentieth of the events, with
//! `-- --throughput` or `-- --latency` one half of it, with `-- --relayed` what effects between tasks cost.

#[path = "../tests/support/kafka.rs"]
mod kafka;
#[path = "support/latency.rs"]
mod latency;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/passing.rs"]
mod passing;
#[path = "support/relayed.rs"]
mod relayed;
#[path = "support/shop.rs"]
mod shop;
#[path = "support/steady.rs"]
mod steady;
#[path = "support/throughput.rs"]
mod throughput;
#[path = "../tests/support/topics.rs"]
#[expect(dead_code, reason = "tests need the rest")]
mod topics;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let is_given = |flag: &str| std::env::args().any(|arg| arg == flag);
    let shrink = if is_given("--quick") { 20 } else { 1 };
    machine::print();
    let bootstrap = kafka::bootstrap();
    if is_given("--relayed") {
        return relayed::measure(bootstrap, shrink);
    }
    if !is_given("--latency") {
        throughput::measure(bootstrap, shrink);
        relayed::measure(bootstrap, shrink);
    }
    if !is_given("--throughput") {
        latency::measure(bootstrap, shrink);
    }
}
