//! What once went wrong, each case by name.

use std::fmt::Write as _;

use crate::support::script::{explain, run};

#[test]
fn a_customer_known_by_unrelated_events_only_was_never_looked_at() {
    let rules = "
        features:
          orders: { count: purchase }
        programmes:
          newcomer: { profile: value, grant: orders == 0 }";
    insta::assert_snapshot!(run(rules, "d0 ann engagement g1 visit"), @"d0 ann vip.granted newcomer");
}

#[test]
fn a_dispute_sent_again_alerted_again() {
    let rules = "
        alerts:
          escalation: { on: purchase, when: event.status == 'disputed' }";
    let script = "
        d0     ann dispute o1
        d1-1ms ann dispute o1";
    insta::assert_snapshot!(run(rules, script), @"d0 ann agent.alert escalation normal");
}

#[test]
fn an_unknown_authors_posts_were_remembered_as_long_as_a_customers() {
    let rules = "
        features:
          posts: { count: mention }
        alerts:
          public_complaint: { on: mention, when: public }";
    let script = "
        d0     ann mention p1 customer_id=null
        d1-1ms ann mention p1 customer_id=null
        d1     ann mention p1 customer_id=null";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 - agent.alert public_complaint normal
    d1 - agent.alert public_complaint normal
    ");
}

#[test]
fn a_late_repost_outlived_the_deletion_of_its_post() {
    let rules = "
        features:
          posts: { count: mention }
        labels:
          posted: posts >= 1";
    let script = "
        d1    ann mention p1 delete
        d0    ann mention p1 repost
        d1+1h ann mention p1 delete";
    insta::assert_snapshot!(run(rules, script), @"");
}

#[test]
fn a_repeated_heartbeat_prolonged_the_session() {
    let rules = "
        alerts:
          vip_online: { on: presence, when: \"true\", once_per: visit }";
    let script = "
        d0     ann presence s1 online ttl_s=60
        d0     ann presence s1 online ttl_s=3600
        d0+31m ann presence s1 online ttl_s=60";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann agent.alert vip_online normal expires_at=d0+00:01
    d0+00:31 ann agent.alert vip_online normal expires_at=d0+00:32
    ");
}

#[test]
fn an_engagement_that_no_feature_counts_was_not_known_again() {
    let rules = "
        labels:
          seen: has(f.last_seen)";
    let script = "
        d0    ann engagement g1 click machine=true
        d0+1h ann engagement g1 click";
    insta::assert_snapshot!(run(rules, script), @"");
}

#[test]
fn evidence_of_a_tier_repeated_what_two_tiers_read() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders: { count: purchase }
        programmes:
          p:
            profile: value
            grant: spend > 0
            tiers: { gold: spend / orders > 100, silver: spend - orders > 10 }";
    let script = "
        d0 ann purchase o1 1
        d1 ann purchase o2 50";
    insta::assert_snapshot!(explain(rules, script), @r"
    d0 ann vip.granted p
      spend 1 > 0 holds purchase:0:0
    d1 ann vip.changed p tier_rise ->silver
      spend 51 purchase:0:1 purchase:0:0
      orders 2 purchase:0:1 purchase:0:0
    ");
}

#[test]
fn a_cancellation_that_waited_for_its_order_was_forgotten_before_the_refund_that_waited_with_it() {
    let rules = "
        features:
          orders: { count: purchase, over: 30d }
        labels:
          one: orders == 1";
    let script = "
        d0    ann cancel o1
        d0    ann cancel o2
        d5    ann refund o1 10
        d33   ann dispute o3
        d6    ann purchase o1 100
        d6+1h ann purchase o2 100";
    insta::assert_snapshot!(run(rules, script), @"d33 ann cohort.entered one");
}

#[test]
fn an_order_sent_again_counted_twice_once_a_busy_referrer_had_lost_credits() {
    let rules = "
        features:
          orders: { count: purchase }
          net: { sum: referred_purchase.amount }
        labels:
          brought: net > 0
          all: orders >= 62
          more: orders >= 63";
    let mut script = "d0 ann referral bob signed_up\nd3 ann referral bob reversed".to_owned();
    for order in 0..61 {
        let _ = write!(script, "\nd1 ann purchase o{order} 1");
    }
    for order in 0..4 {
        let _ = write!(script, "\nd2 bob purchase b{order} 1");
    }
    script.push_str("\nd4 ann purchase again 1\nd5 ann purchase again 1");
    insta::assert_snapshot!(run(rules, &script), @r"
    d2+00:00:01 ann cohort.entered brought
    d3+00:00:02 ann cohort.left brought
    d4 ann cohort.entered all
    ");
}
