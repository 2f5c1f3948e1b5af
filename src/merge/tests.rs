use super::*;
use crate::model::event::{Action, Body, Engagement};

const A: Lane = Lane::Input(Kind::Purchase, 0);
const B: Lane = Lane::Input(Kind::Csat, 0);

#[expect(clippy::unnecessary_wraps, reason = "what is pushed may be a refusal")]
fn event(at: i64) -> Result<Event, Box<DeadLetter>> {
    let body = Engagement {
        engagement_id: "e".into(),
        action: Action::Visit,
        campaign_id: None,
        channel: None,
        machine: false,
    };
    Ok(Event {
        event_id: "e".into(),
        customer: Some("c".into()),
        at: EventTime(at),
        body: Body::Engagement(body),
        unknown_values: 0,
    })
}

fn two_lanes() -> Merge {
    let mut merge = Merge::default();
    merge.open(A, EventTime::MIN);
    merge.open(B, EventTime::MIN);
    merge
}

fn push(merge: &mut Merge, lane: Lane, times: &[i64]) {
    let from = merge.buffer(lane).map_or(0, |buffer| buffer.records.len()) as u64;
    for (offset, at) in times.iter().enumerate() {
        let Lane::Input(kind, partition) = lane else { unreachable!("inputs only") };
        merge.push(kind, partition, from + offset as u64, event(*at));
    }
}

fn taken(mut take: impl FnMut() -> Option<(Lane, Record)>) -> Vec<i64> {
    std::iter::from_fn(|| take().map(|(_, record)| record.merge_time.0)).collect()
}

#[test]
fn a_record_waits_for_a_partition_that_may_hold_an_earlier_one() {
    let mut merge = two_lanes();
    push(&mut merge, A, &[10, 30]);
    assert_eq!(taken(|| merge.take()), [0; 0]);
    push(&mut merge, B, &[20]);
    assert_eq!(taken(|| merge.take()), [10, 20]);
    merge.set_at_end(B, true);
    assert_eq!(taken(|| merge.take()), [30]);
}

#[test]
fn the_clock_never_passes_a_record_still_buffered() {
    let mut merge = two_lanes();
    push(&mut merge, A, &[10, 50]);
    merge.set_at_end(B, true);
    assert_eq!(merge.clock(), Some(EventTime(10)));
    merge.take();
    assert_eq!(merge.clock(), Some(EventTime(50)));
    merge.take();
    assert_eq!(merge.clock(), Some(EventTime(50)), "more may come at the time reached");
    merge.set_at_end(A, true);
    assert_eq!(merge.clock(), None);
}

#[test]
fn a_partition_behind_is_left_out_until_level_but_stays_in_the_clock() {
    let mut merge = two_lanes();
    push(&mut merge, A, &[100, 110]);
    merge.pass(Duration::from_secs(1));
    merge.leave_out(Duration::from_secs(2));
    assert_eq!(taken(|| merge.take()), [0; 0], "not waited long enough");
    merge.pass(Duration::from_secs(3));
    merge.leave_out(Duration::from_secs(2));
    assert_eq!(merge.left_out().collect::<Vec<_>>(), [B]);
    assert_eq!(taken(|| merge.take()), [100, 110]);
    assert_eq!(merge.clock(), Some(EventTime::MIN), "the clock waits for what is behind");

    push(&mut merge, B, &[5, 60, 120, 130]);
    assert_eq!(taken(|| merge.take()), [0; 0]);
    assert_eq!(taken(|| merge.take_left_out()), [5, 60]);
    assert_eq!(merge.left_out().count(), 0, "120 is past what the others have reached");
    assert_eq!(merge.clock(), Some(EventTime(110)));
    merge.set_at_end(A, true);
    assert_eq!(taken(|| merge.take()), [120, 130]);
}

#[test]
fn a_backlog_fetched_ahead_of_a_waiting_record_is_left_out_too() {
    let mut merge = two_lanes();
    push(&mut merge, B, &[1, 2, 3]);
    push(&mut merge, A, &[1_000]);
    merge.set_at_end(A, true);
    assert_eq!(merge.take().map(|(_, record)| record.merge_time), Some(EventTime(1)));
    merge.pass(Duration::from_secs(3));
    assert_eq!(merge.take().map(|(_, record)| record.merge_time), Some(EventTime(2)));
    merge.leave_out(Duration::from_secs(2));
    assert_eq!(taken(|| merge.take()), [1_000]);
    assert_eq!(taken(|| merge.take_left_out()), [3]);
}

#[test]
fn a_left_out_partition_at_its_end_is_level() {
    let mut merge = two_lanes();
    push(&mut merge, A, &[100]);
    merge.pass(Duration::from_secs(3));
    merge.leave_out(Duration::from_secs(2));
    merge.set_at_end(B, true);
    assert_eq!(merge.left_out().count(), 0);
}

#[test]
fn scouting_shows_the_inputs_in_order_and_waits_for_none_but_them() {
    let mut merge = two_lanes();
    merge.open(Lane::Relay(1), EventTime::MIN);
    push(&mut merge, A, &[10, 30]);
    assert_eq!(merge.scout(), None, "the other input may bring an earlier one");
    push(&mut merge, B, &[20]);
    assert_eq!([merge.scout(), merge.scout(), merge.scout()], [Some(A), Some(B), None]);
    merge.set_at_end(B, true);
    assert_eq!(merge.scouted().map(|(time, _)| time), Some(EventTime(30)));
    assert_eq!([merge.scout(), merge.scout()], [Some(A), None]);
    assert_eq!(merge.scouted().map(|(time, _)| time), Some(EventTime(30)), "more may come after the last");
    merge.set_at_end(A, true);
    assert_eq!(merge.scouted(), None);
    assert_eq!(taken(|| merge.take()), [0; 0], "the other task may still hand over an earlier one");
}

#[test]
fn what_was_announced_may_be_taken_up_to() {
    let mut merge = two_lanes();
    let relay = Lane::Relay(1);
    merge.open(relay, EventTime::MIN);
    push(&mut merge, A, &[10, 20, 30]);
    merge.set_at_end(B, true);
    let position = Position { kind: Kind::Purchase, partition: 1, offset: 0 };
    merge.announce(relay, (EventTime(20), position));
    assert_eq!(taken(|| merge.take()), [10, 20], "the same time on a partition of a lower number precedes");
    merge.push_record(relay, Record { position, merge_time: EventTime(25), body: event(25) });
    assert_eq!(taken(|| merge.take()), [25]);
    merge.set_at_end(relay, true);
    assert_eq!(taken(|| merge.take()), [30]);
}

#[test]
fn a_lane_outside_holds_nobody_and_waits_for_nobody() {
    let mut merge = two_lanes();
    let relay = Lane::Relay(1);
    merge.open_outside(relay, EventTime::MIN);
    let position = Position { kind: Kind::Purchase, partition: 1, offset: 0 };
    merge.push_record(relay, Record { position, merge_time: EventTime(5), body: event(5) });
    push(&mut merge, A, &[10]);
    merge.set_at_end(B, true);
    assert_eq!(merge.clock(), Some(EventTime(10)));
    assert_eq!(taken(|| merge.take()), [10]);
    assert_eq!(taken(|| merge.take_outside()), [5]);
}

#[test]
fn what_was_looked_at_is_asked_again_only_when_answers_may_have_changed() {
    let asked = std::cell::RefCell::new(Vec::new());
    let earliest = |merge: &mut Merge, first: i64| {
        asked.borrow_mut().clear();
        let found = merge.earliest(|event| {
            asked.borrow_mut().push(event.at.0);
            event.at.0 >= first
        });
        (found.map(|at| at.0), asked.borrow().clone())
    };
    let mut merge = two_lanes();
    push(&mut merge, A, &[10, 30, 50]);
    push(&mut merge, B, &[20, 40]);
    assert_eq!(earliest(&mut merge, 30), (Some(30), vec![10, 20, 30]), "level with each other, and no further");
    assert_eq!(earliest(&mut merge, 30), (Some(30), vec![30]));
    merge.take();
    assert_eq!(earliest(&mut merge, 90), (Some(40), vec![30, 40]), "after 40 more may come of B");
    merge.set_at_end(B, true);
    assert_eq!(earliest(&mut merge, 90), (Some(50), vec![50]));
    push(&mut merge, A, &[60]);
    merge.set_at_end(A, true);
    assert_eq!(earliest(&mut merge, 90), (None, vec![60]));
    merge.look_anew();
    assert_eq!(earliest(&mut merge, 20), (Some(20), vec![20]));
}

#[test]
fn an_older_record_behind_a_newer_one_is_expected_no_earlier() {
    let mut merge = Merge::default();
    let relayed = Lane::Relay(1);
    merge.open(relayed, EventTime::MIN);
    for at in [30, 10, 40] {
        let position = Position { kind: Kind::Engagement, partition: 0, offset: 0 };
        merge.push_record(relayed, Record { position, merge_time: EventTime(at), body: event(at) });
    }
    assert_eq!(merge.earliest(|event| event.at.0 == 10), Some(EventTime(30)));
    merge.pop(relayed);
    assert_eq!(merge.earliest(|event| event.at.0 == 10), Some(EventTime(10)));
}
