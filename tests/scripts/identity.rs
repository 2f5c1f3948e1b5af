//! Customers who turn out to be one, and handles that turn out to be a customer's.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use vipstream::engine::Engine;
use vipstream::engine::forgotten::Forgotten;
use vipstream::model::record::Position;

use crate::support::generate::live::Live;
use crate::support::judge::Prepared;
use crate::support::model::fold::{Epoch, How, Mode, Taken};
use crate::support::script::{explain, in_full, inputs, run, run_until, time, with_head};

const RULES: &str = "
    features:
      spend: { sum: purchase.amount, over: 90d }
      orders: { count: purchase, over: 90d }
    programmes:
      big: { profile: value, grant: spend >= 100, tenure: 60d, grace: 30d }
    labels:
      buyer: orders >= 1
    alerts:
      vip_online: { on: presence, when: vip }
      public_complaint: { on: mention, when: sentiment <= -0.4 }";

#[test]
fn whoever_is_merged_ends_everything_and_the_survivor_has_what_was_remembered() {
    let script = "
        d0 ann purchase o1 150.00
        d0 bob purchase o2 60.00
        d1 ann customer 1 merged_into=bob
        d1+1h ann presence s1 online
        d2 bob purchase o3 10.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered buyer
    d0 ann vip.granted big
    d0 bob cohort.entered buyer
    d1 ann cohort.left buyer
    d1 ann vip.revoked big merged
    d1+00:00:01 bob vip.granted big
    d1+01:00 bob agent.alert vip_online normal expires_at=d1+01:01:30
    ");
}

#[test]
fn what_is_sent_for_a_merged_customer_is_the_survivors_whatever_its_time() {
    let script = "
        d5 ann customer 1 merged_into=bob
        d6 ann purchase o1 60.00
        d4 ann purchase o2 30.00
        d7 bob purchase o3 10.00";
    insta::assert_snapshot!(explain(RULES, script), @r"
    d6+00:00:01 bob cohort.entered buyer
      orders/90d 1 >= 1 holds purchase:0:0
    d7 bob vip.granted big
      spend/90d 100 >= 100 holds purchase:0:2 purchase:0:0 purchase:0:1
    ");
}

#[test]
fn an_order_that_both_know_of_counts_once_less_the_refunds_of_both() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders: { count: purchase }
        labels:
          once: orders == 1
          half: spend == 50";
    let script = "
        d0 ann purchase o1 100.00
        d0 bob purchase o1 100.00
        d1 ann refund o1 30.00 refund_id=r1
        d2 bob refund o1 20.00 refund_id=r2
        d2 bob refund o1 30.00 refund_id=r1
        d3 ann customer 1 merged_into=bob
        d4 ann purchase o1 100.00
        d5 ann refund o1 20.00 refund_id=r2
        d6 ann refund o1 1.00 refund_id=r3";
    insta::assert_snapshot!(run_until("d7", rules, script), @r"
    d0 ann cohort.entered once
    d0 bob cohort.entered once
    d2 bob cohort.entered half
    d3 ann cohort.left once
    d6+00:00:01 bob cohort.left half
    ");
}

#[test]
fn a_refund_that_one_knows_of_comes_off_the_order_that_the_other_knows_of() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders: { count: purchase }
        labels:
          kept: spend == 70
          gone: orders == 0";
    let script = "
        d0 ann refund o1 30.00
        d0 bob cancel o2
        d1 bob purchase o1 100.00
        d1 ann purchase o2 100.00
        d2 ann customer 1 merged_into=bob";
    insta::assert_snapshot!(run_until("d3", rules, script), @r"
    d0 ann cohort.entered gone
    d0 bob cohort.entered gone
    d1 ann cohort.left gone
    d1 bob cohort.left gone
    d2+00:00:01 bob cohort.entered kept
    ");
}

#[test]
fn a_chain_converges_in_any_order() {
    let bought = "
        d0 ann purchase o1 40.00
        d0 bob purchase o2 40.00
        d0 cid purchase o3 40.00
        d1 bob refund o1 10.00";
    let orders = [
        ["d2 ann customer 1 merged_into=bob", "d3 bob customer 1 merged_into=cid"],
        ["d2 bob customer 1 merged_into=cid", "d3 ann customer 1 merged_into=bob"],
        ["d3 ann customer 1 merged_into=bob", "d3 bob customer 1 merged_into=cid"],
    ];
    let rules = "
        features:
          spend: { sum: purchase.amount }
        labels:
          sum: spend == 110";
    let last = orders.map(|merges| {
        let script = format!("{bought}\n{}\n{}", merges[0], merges[1]);
        run_until("d4", rules, &script)
    });
    insta::assert_snapshot!(last.join("--\n"), @r"
    d3+00:00:01 cid cohort.entered sum
    --
    d3+00:00:02 cid cohort.entered sum
    --
    d3+00:00:02 cid cohort.entered sum
    ");
}

#[test]
fn a_newer_record_merges_into_another_or_parts() {
    let script = "
        d0 ann purchase o1 60.00
        d1 ann customer 1 merged_into=bob
        d2 ann customer 2 merged_into=cid
        d3 ann purchase o2 60.00
        d4 ann customer 1 merged_into=bob
        d5 ann purchase o3 60.00
        d6 ann customer 3
        d7 ann purchase o4 60.00
        d8 bob purchase o5 60.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered buyer
    d1 ann cohort.left buyer
    d1+00:00:01 bob cohort.entered buyer
    d3+00:00:01 cid cohort.entered buyer
    d5+00:00:01 cid vip.granted big
    d7 ann cohort.entered buyer
    d8 bob vip.granted big
    ");
}

#[test]
fn a_circle_ends_in_dead_letters_one_for_each_event() {
    let script = "
        d0 ann purchase o1 60.00
        d1 ann customer 1 merged_into=bob
        d2 bob customer 1 merged_into=ann
        d3 ann purchase o2 60.00
        d4 ann customer 2
        d5 bob purchase o3 60.00";
    insta::assert_snapshot!(run_until("d6", RULES, script), @r"
    d0 ann cohort.entered buyer
    d1 ann cohort.left buyer
    d1+00:00:01 bob cohort.entered buyer
    d2 bob cohort.left buyer
    d4 ann cohort.entered buyer
    d5+00:00:01 ann vip.granted big
    purchase:0:1 dead_letter too_many_hops
    ");
}

#[test]
fn a_survivor_may_be_swapped_before_the_former_one_is_told_to_be_nobody_else() {
    let script = "
        d0 ann purchase o1 60.00
        d0 bob purchase o2 50.00
        d1 ann customer 1 merged_into=bob
        d2 bob customer 1 merged_into=ann
        d2+1h ann customer 2";
    insta::assert_snapshot!(run_until("d3", RULES, script), @r"
    d0 ann cohort.entered buyer
    d0 bob cohort.entered buyer
    d1 ann cohort.left buyer
    d1+00:00:01 bob vip.granted big
    d2 bob cohort.left buyer
    d2 bob vip.revoked big merged
    d2+01:00:02 ann cohort.entered buyer
    d2+01:00:02 ann vip.granted big
    ");
}

#[test]
fn a_circle_of_three_that_opens_loses_nothing() {
    let script = "
        d0 ann purchase o1 40.00
        d0 bob purchase o2 40.00
        d0 cid purchase o3 40.00
        d1 ann customer 1 merged_into=bob
        d2 bob customer 1 merged_into=cid
        d3 cid customer 1 merged_into=ann
        d4 bob customer 2
        d5 ann customer 2 merged_into=bob
        d6 cid customer 2 merged_into=bob
        d7 cid purchase o4 10.00";
    insta::assert_snapshot!(run_until("d8", RULES, script), @r"
    d0 ann cohort.entered buyer
    d0 bob cohort.entered buyer
    d0 cid cohort.entered buyer
    d1 ann cohort.left buyer
    d2 bob cohort.left buyer
    d2+00:00:01 cid vip.granted big
    d3 cid cohort.left buyer
    d3 cid vip.revoked big merged
    d4 bob cohort.entered buyer
    d4 bob vip.granted big
    ");
}

#[test]
fn what_goes_too_far_down_a_chain_waits_there_until_somebody_is_heard_of() {
    let mut script = "d0 c0 purchase o1 120.00\n".to_owned();
    for merge in (0..9).rev() {
        script.push_str(&format!("d1+{}m c{merge} customer 1 merged_into=c{}\n", 9 - merge, merge + 1));
    }
    script.push_str("d2 c8 purchase o2 1.00\n");
    insta::assert_snapshot!(run_until("d3", RULES, &script), @r"
    d0 c0 cohort.entered buyer
    d0 c0 vip.granted big
    d1+00:09 c0 cohort.left buyer
    d1+00:09 c0 vip.revoked big merged
    d2+00:00:01 c9 cohort.entered buyer
    d2+00:00:01 c9 vip.granted big
    ");
}

#[test]
fn nobody_is_merged_into_themselves() {
    let script = "
        d0 ann customer 1 merged_into=ann
        d1 ann purchase o1 100.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d1 ann cohort.entered buyer
    d1 ann vip.granted big
    ");
}

#[test]
fn who_referred_themselves_has_referred_nobody_now_or_after_a_merge() {
    let rules = "
        features:
          friends: { count: referral }
        labels:
          advocate: friends >= 1
          keen: friends >= 2";
    let script = "
        d0 ann referral ann signed_up
        d0 ann referral bob converted
        d0 ann referral cid signed_up
        d0 bob referral cid signed_up
        d1 ann customer 1 merged_into=bob
        d2 bob referral ann signed_up
        d3 ann referral bob reversed
        d4 bob referral dan signed_up";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered advocate
    d0 ann cohort.entered keen
    d0 bob cohort.entered advocate
    d1 ann cohort.left advocate
    d1 ann cohort.left keen
    d4 bob cohort.entered keen
    ");
}

#[test]
fn a_post_that_alerted_at_one_does_not_alert_again_at_the_other() {
    let script = "
        d0 ann mention p1 sentiment=-1 text=Bad
        d0+1h ann customer 1 merged_into=bob
        d0+2h ann mention p1 update sentiment=-1 text=Worse
        d0+3h ann mention p2 sentiment=-1 text=Bad
        d0+4h ann mention p3 sentiment=-1 text=Other";
    insta::assert_snapshot!(run_until("d1", RULES, script), @r"
    d0 ann agent.alert public_complaint normal
    d0+04:00 bob agent.alert public_complaint normal
    ");
}

#[test]
fn visits_and_clicks_add_up() {
    let rules = "
        features:
          clicks: { count: engagement, over: 30d }
        labels:
          keen: clicks >= 3";
    let script = "
        d0 ann engagement g1 click
        d0 bob engagement g2 click
        d0 bob engagement g3 click
        d1 ann customer 1 merged_into=bob
        d1+1m ann engagement g1 click";
    insta::assert_snapshot!(run_until("d31", rules, script), @r"
    d1+00:00:01 bob cohort.entered keen
    d30 bob cohort.left keen
    ");
}

#[test]
fn who_was_merged_into_somebody_erased_is_somebody_of_its_own_again() {
    let script = "
        d0 ann purchase o1 60.00
        d1 ann customer 1 merged_into=bob
        d2 bob erasure q1
        d3 ann purchase o2 70.00
        d4 cid customer 1 merged_into=bob
        d5 cid purchase o3 100.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered buyer
    d1 ann cohort.left buyer
    d1+00:00:01 bob cohort.entered buyer
    d2 bob cohort.left buyer
    d3 ann cohort.entered buyer
    d5 cid cohort.entered buyer
    d5 cid vip.granted big
    ");
}

#[test]
fn what_came_from_somebody_erased_stays_as_numbers() {
    let script = "
        d0 ann purchase o1 60.00
        d1 ann customer 1 merged_into=bob
        d2 ann erasure q1
        d3 ann purchase o2 70.00
        d4 bob purchase o3 40.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered buyer
    d1 ann cohort.left buyer
    d1+00:00:01 bob cohort.entered buyer
    d4 bob vip.granted big
    ");
}

/// The engine after a script.
fn engine_after(until: &str, script: &str) -> Engine {
    let mut partitions = BTreeMap::new();
    let mut records = Vec::new();
    for (kind, lines) in inputs(script) {
        let partition = partitions.entry(kind).and_modify(|next| *next += 1).or_insert(0);
        for (offset, line) in (0..).zip(lines) {
            let position = Position { kind, partition: *partition, offset };
            records.push(Taken { position, key: None, value: Some(line), timestamp: None, how: How::Read });
        }
    }
    let clock = time(until);
    let epochs = vec![Epoch { records, clock, wall: clock, ..Epoch::default() }];
    let of = Prepared::new(&Live { ruleset: with_head(RULES), mode: Mode::Event, epochs });
    let mut engine = of.engine();
    for epoch in &of.epochs {
        engine.apply(epoch.clone(), &mut Vec::new());
    }
    engine
}

/// The state after a script, as a snapshot holds it.
fn state_after(until: &str, script: &str) -> Vec<u8> {
    let mut engine = engine_after(until, script);
    let mut state = engine.freeze();
    while engine.encode(100, &mut state).is_some() {}
    state
}

fn holds(state: &[u8], id: &str) -> bool {
    state.windows(id.len()).any(|part| part == id.as_bytes())
}

#[test]
fn no_state_holds_the_id_of_somebody_erased() {
    let before = "
        d0 annabel customer 1 handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}]
        d0 annabel purchase o1 60.00
        d0 roberta referral annabel signed_up
        d1 annabel mention p1 sentiment=-1 text=Bad customer_id=null handle=@ann
        d2 annabel customer 2 merged_into=roberta handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}]
        d3 annabel mention p2 sentiment=-1 text=Worse customer_id=null handle=@ann";
    assert!(holds(&state_after("d4", before), "annabel") && holds(&state_after("d4", before), "roberta"));
    for (erased, other) in [("annabel", "roberta"), ("roberta", "annabel")] {
        let state = state_after("d5", &format!("{before}\nd4 {erased} erasure q1"));
        assert!(!holds(&state, erased) && holds(&state, other), "{erased}");
        let state = state_after("d5", &format!("{before}\nd1+1h {erased} erasure q1"));
        assert!(!holds(&state, erased), "{erased}, before they were merged");
    }
}

#[test]
fn what_was_written_under_a_handle_of_somebody_erased_is_kept_for_nobody() {
    let before = "
        d0 ann mention p1 sentiment=-1 text=Bad customer_id=null handle=@secret
        d0+1h ann customer 1 handles=[{\"platform\":\"x\",\"handle\":\"@secret\"}]";
    assert!(holds(&state_after("d0+30m", before.lines().nth(1).expect("a line")), "Bad"));
    let state = state_after("d0+2h", &format!("{before}\nd0+1h30m ann erasure q1"));
    assert!(!holds(&state, "Bad") && !holds(&state, "ann"));
}

#[test]
fn nothing_stays_of_an_author_who_has_been_quiet_for_a_day() {
    let written = "
        d0 ann mention p1 sentiment=-1 text=Bad customer_id=null handle=@ann
        d0+1h ann mention p2 sentiment=-1 text=Worse customer_id=null handle=@ann
        d0+1h bob mention p3 sentiment=-1 text=Other customer_id=null handle=@bob
        d0+2h bob customer 1 handles=[{\"platform\":\"x\",\"handle\":\"@bob\"}]";
    let known = |until: &str| {
        let stats = engine_after(until, written).stats();
        (stats.customers, stats.handles, stats.forgotten.of(Forgotten::Unclaimed))
    };
    assert_eq!(known("d1+59m"), (1, 2, 0));
    assert_eq!(known("d1+2h"), (1, 1, 2), "a handle that somebody names stays");
    let state = state_after("d1+2h", written);
    assert!(!holds(&state, "@ann") && !holds(&state, "Bad") && holds(&state, "@bob"));
    let parted = format!("{written}\nd3 bob customer 2");
    assert_eq!(engine_after("d4+2s", &parted).stats().handles, 0);
}

#[test]
fn of_a_quiet_author_nobody_knows_what_was_written_twice() {
    let script = "
        d0 ann mention p1 sentiment=-1 text=Bad customer_id=null
        d0+23h ann mention p1 sentiment=-1 text=Bad customer_id=null
        d1+23h ann mention p2 sentiment=-1 text=Bad customer_id=null
        d1+23h30m ann mention p1 sentiment=-1 text=Bad customer_id=null
        d2+23h30m ann mention p1 sentiment=-1 text=Bad customer_id=null";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 - agent.alert public_complaint normal
    d1+23:00 - agent.alert public_complaint normal
    d2+23:30 - agent.alert public_complaint normal
    ");
}

#[test]
fn what_is_beyond_a_bound_is_counted() {
    let mut script = String::new();
    for post in 0..70 {
        script.push_str(&format!("d0+{post}m ann mention p{post} sentiment=1 customer_id=null handle=@ann\n"));
    }
    for customer in 0..10 {
        let handles = "handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}]";
        script.push_str(&format!("d0+3h c{customer} customer 1 {handles}\n"));
    }
    for customer in 0..1_003 {
        script.push_str(&format!("d0+4h c{} customer 2 merged_into=c9\n", customer + 10));
    }
    let forgotten = engine_after("d1", &script).stats().forgotten;
    let seen = Forgotten::ALL.map(|what| (what.name(), forgotten.of(what)));
    let expected = [("post", 6), ("owner", 2), ("merged", 3)];
    assert!(seen.into_iter().filter(|(_, times)| *times > 0).eq(expected), "{seen:?}");
}

#[test]
fn a_long_memory_is_carried_whole() {
    let rules = "
        features:
          orders: { count: purchase }
          channel: { last: purchase.channel }
        labels:
          some: orders >= 1
          not_all: orders >= 1 && orders < 301";
    let channel = "x".repeat(10_000);
    let mut script = "d0 bob purchase o 1.00\n".to_owned();
    for order in 0..300 {
        script.push_str(&format!("d0 ann purchase o{order} 1.00 channel={channel}\n"));
    }
    script.push_str("d1 ann customer 1 merged_into=bob\n");
    insta::assert_snapshot!(run_until("d2", rules, &script), @r"
    d0 ann cohort.entered some
    d0 ann cohort.entered not_all
    d0 bob cohort.entered some
    d0 bob cohort.entered not_all
    d1 ann cohort.left some
    d1 ann cohort.left not_all
    d1+00:00:01 bob cohort.left not_all
    ");
}

/// The last word on each complaint, by its `alert_id`: what is said of it but for what names the output.
fn last_words(script: &str) -> BTreeMap<String, Json> {
    let mut said: Vec<Json> = in_full(RULES, script).into_iter().filter(|it| it["type"] == "agent.alert").collect();
    // A customer known is a later word than a handle.
    said.sort_by_key(|alert| !alert["customer_id"].is_null());
    let words = said.into_iter().map(|mut alert| {
        let id = alert["alert_id"].as_str().expect("an id").to_owned();
        for name in ["trigger", "run_id", "evidence", "status_seq"] {
            alert.as_object_mut().expect("an object").shift_remove(name);
        }
        (id, alert)
    });
    words.collect()
}

#[test]
fn a_handle_before_its_customer_and_after_it_gives_the_same_alerts() {
    let record = "ann customer 1 name=Ann handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}]";
    let posts = "
        d1 ann purchase o1 100.00
        d1+1h ann mention p1 sentiment=-1 text=Bad customer_id=null
        d1+2h ann mention p2 sentiment=-1 text=Worse customer_id=null
        d1+3h ann mention p2 update sentiment=-1 text=Worst customer_id=null";
    let before = format!("d0 {record}\n{posts}\nd2 ann purchase o2 1.00");
    let after = format!("{posts}\nd1+4h {record}\nd2 ann purchase o2 1.00");
    let seen = last_words(&before);
    assert_eq!(seen.len(), 2, "two complaints");
    assert!(seen.values().all(|alert| alert["customer_id"] == "ann"));
    assert_eq!(last_words(&after), seen);
    insta::assert_snapshot!(run(RULES, &after), @r"
    d1 ann cohort.entered buyer
    d1 ann vip.granted big
    d1+01:00 - agent.alert public_complaint normal
    d1+01:00 ann agent.alert public_complaint normal
    d1+02:00 - agent.alert public_complaint normal
    d1+02:00 ann agent.alert public_complaint normal
    ");
}

#[test]
fn a_handle_of_a_merged_customer_reaches_the_survivor() {
    let script = "
        d0 ann customer 1 handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}] merged_into=bob
        d1 ann mention p1 sentiment=-1 text=Bad customer_id=null
        d2 cid customer 1 handles=[{\"platform\":\"x\",\"handle\":\"@ann\"}]
        d3 ann mention p2 sentiment=-1 text=Worse customer_id=null
        d4 cid customer 2
        d5 ann mention p3 sentiment=-1 text=Worst customer_id=null";
    insta::assert_snapshot!(run_until("d6", RULES, script), @r"
    d1 bob agent.alert public_complaint normal
    d3 cid agent.alert public_complaint normal
    d5 bob agent.alert public_complaint normal
    ");
}

#[test]
fn a_handle_of_a_merged_customer_reaches_the_last_survivor_of_a_chain() {
    let handle = "handles=[{\"platform\":\"x\",\"handle\":\"@old\"}]";
    let chain = |merges: [&str; 2]| {
        format!(
            "
            d0 ann customer 1 {handle}
            d1 {}
            d2 {}
            d4 ann mention p1 sentiment=-1 text=Bad customer_id=null handle=@old
            d5 ann customer 3 {handle} merged_into=bob
            d6 ann mention p2 sentiment=-1 text=Worse customer_id=null handle=@old",
            merges[0], merges[1]
        )
    };
    let merges = [format!("ann customer 2 {handle} merged_into=bob"), "bob customer 1 merged_into=cid".to_owned()];
    let seen = run_until("d7", RULES, &chain([&merges[0], &merges[1]]));
    assert_eq!(run_until("d7", RULES, &chain([&merges[1], &merges[0]])), seen);
    insta::assert_snapshot!(seen, @r"
    d4 cid agent.alert public_complaint normal
    d6 cid agent.alert public_complaint normal
    ");
}
