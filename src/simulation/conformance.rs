//! The simulated broker answers as the real one does: `tests/conformance.rs` plays the same script on Apache Kafka.

use std::time::Duration;

use super::broker::SimulatedBroker;
use super::group::Membership;
use super::schedule::Schedule;
use super::traffic::APP;
use super::world::{Shared, World};
use crate::model::time::EventTime;
use crate::support::conformance::play;

#[test]
fn the_simulated_broker_answers_as_the_real_one() {
    let play = || {
        let turn = Schedule::start(0, EventTime(1_750_000_000_000));
        let topics = ["journal", "relay"].map(|name| (format!("{APP}.{name}"), 1));
        let mut world = World::new(0, topics.into(), Duration::from_secs(6));
        world.trouble.eager = true;
        let shared = Shared::new(world);
        let open = || SimulatedBroker::new(shared.clone(), APP, 0, Membership::default());
        let log = play(APP, &mut open(), &mut open());
        drop(turn);
        log
    };
    let log = std::thread::spawn(play).join().unwrap();
    assert_eq!(log, include_str!("../../tests/golden/conformance.txt"), "{log}");
}
