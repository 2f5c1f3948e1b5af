//! Surveys, cases, referrals and posts: one thing, many versions.

use crate::support::script::{run, run_until};

#[test]
fn only_the_newest_revision_of_a_survey_counts_at_its_first_place() {
    let rules = "
        features:
          bad_30d: { count: csat, where: satisfaction <= 0.4, over: 30d }
        labels:
          unhappy: bad_30d >= 1";
    let script = "
        d0  ann csat i1 1
        d10 ann csat i1 5 revision=1
        d20 ann csat i1 2 revision=2
        d21 ann csat i1 5 revision=1";
    insta::assert_snapshot!(run_until("d60", rules, script), @r"
    d0 ann cohort.entered unhappy
    d10 ann cohort.left unhappy
    d20 ann cohort.entered unhappy
    d30 ann cohort.left unhappy
    ");
}

#[test]
fn an_older_revision_that_comes_later_moves_only_the_place() {
    let rules = "
        features:
          bad_30d: { count: csat, where: satisfaction <= 0.4, over: 30d }
        labels:
          unhappy: bad_30d >= 1
        alerts:
          escalation: { on: csat, when: \"true\" }";
    let script = "
        d0  bob csat i0 5
        d10 ann csat i1 1 revision=3
        d5  ann csat i1 5 revision=2
        d12 ann csat i1 5 revision=1";
    insta::assert_snapshot!(run_until("d60", rules, script), @r"
    d10 ann cohort.entered unhappy
    d35 ann cohort.left unhappy
    d0 bob agent.alert escalation normal
    d10 ann agent.alert escalation normal
    ");
}

#[test]
fn satisfaction_is_the_score_within_its_scale() {
    let rules = "
        features:
          mean: { avg: csat.satisfaction }
        labels:
          half: mean == 0.5
          third: mean > 0.3333333333 && mean < 0.3333333334";
    let script = "
        d0 ann csat i1 3
        d0 bob csat i2 2 scale_min=0 scale_max=6
        d0 cyd csat i3 4 scale_min=0 scale_max=6 higher_is_better=false";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered half
    ");
}

#[test]
fn an_average_adds_parts_of_nine_decimals() {
    let rules = "
        features:
          mean: { avg: csat.satisfaction }
        labels:
          third: mean == 0.333333333";
    let script = "
        d0 bob csat i2 2 scale_min=0 scale_max=6
        d0 cyd csat i3 4 scale_min=0 scale_max=6 higher_is_better=false";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 bob cohort.entered third
    d0 cyd cohort.entered third
    ");
}

#[test]
fn a_referral_counts_at_the_time_of_its_present_status() {
    let rules = "
        features:
          won: { count: referral, where: \"status == 'converted'\", over: 30d }
          value: { sum: referral.value, where: \"status == 'converted'\" }
        labels:
          advocate: won >= 1
          rich: value >= 100";
    let script = "
        d0  ann referral bob signed_up
        d20 ann referral bob converted value=100 currency=EUR
        d21 ann referral bob signed_up referral_id=other
        d60 ann referral bob reversed
        d61 ann referral bob converted value=100 currency=EUR";
    insta::assert_snapshot!(run(rules, script), @r"
    d20 ann cohort.entered advocate
    d20 ann cohort.entered rich
    d50 ann cohort.left advocate
    d60 ann cohort.left rich
    ");
}

#[test]
fn a_referral_valued_in_another_currency_counts_nowhere() {
    let rules = "
        features:
          won: { count: referral }
        labels:
          advocate: won >= 1
          seen: has(f.last_seen)";
    let script = "
        d0 ann referral bob converted value=100 currency=USD
        d1 cyd referral bob converted currency=USD";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered seen
    d1 cyd cohort.entered advocate
    d1 cyd cohort.entered seen
    ");
}

#[test]
fn a_case_is_what_its_newest_version_says() {
    let rules = "
        features:
          open_cases: { count: case, where: \"state != 'closed'\", over: 90d }
        labels:
          open: open_cases >= 1";
    let script = "
        d0 ann case k1 1 opened
        d2 ann case k1 3 closed
        d3 ann case k1 2 escalated
        d4 ann case k1 4 reopened";
    insta::assert_snapshot!(run_until("d99", rules, script), @r"
    d0 ann cohort.entered open
    d2 ann cohort.left open
    d4 ann cohort.entered open
    d90 ann cohort.left open
    ");
}

const POSTS: &str = "
    features:
      posts: { count: mention }
      angry: { count: mention, where: sentiment <= -0.4 }
    labels:
      one: posts >= 1
      two: posts >= 2
      angry: angry >= 1
    alerts:
      public_complaint: { on: mention, when: public && sentiment <= -0.4 }";

#[test]
fn an_update_replaces_the_post_and_alerts_only_once() {
    let script = "
        d0 ann mention p1 sentiment=0.5
        d1 ann mention p1 update sentiment=-0.5
        d2 ann mention p1 update sentiment=-0.9
        d3 ann mention p1 update sentiment=0.1
        d2 ann mention p1 update sentiment=-0.9";
    insta::assert_snapshot!(run(POSTS, script), @r"
    d0 ann cohort.entered one
    d1 ann cohort.entered angry
    d3 ann cohort.left angry
    d1 ann agent.alert public_complaint normal
    ");
}

#[test]
fn a_deletion_takes_the_post_and_the_repost_back() {
    let script = "
        d0 ann mention p1 sentiment=-0.5
        d1 ann mention p1 repost sentiment=-0.5
        d2 ann mention p1 delete
        d1+1h ann mention p1 update sentiment=-0.7";
    insta::assert_snapshot!(run(POSTS, script), @r"
    d0 ann cohort.entered one
    d0 ann cohort.entered angry
    d1 ann cohort.entered two
    d2 ann cohort.left one
    d2 ann cohort.left two
    d2 ann cohort.left angry
    d0 ann agent.alert public_complaint normal
    ");
}

#[test]
fn a_deletion_may_come_before_its_post() {
    let script = "
        d2 ann mention p1 delete
        d1 ann mention p1 sentiment=-0.5
        d3 bob mention p1 sentiment=-0.5";
    insta::assert_snapshot!(run(POSTS, script), @r"
    d3 bob cohort.entered one
    d3 bob cohort.entered angry
    d3 bob agent.alert public_complaint normal
    ");
}

#[test]
fn the_same_words_within_a_day_are_one_complaint() {
    let script = "
        d0      ann mention p1 text='it broke' sentiment=-0.5
        d0+1h   ann mention p2 text='it broke' sentiment=-0.5
        d0+2h   bob mention p3 text='it broke' sentiment=-0.5
        d1-1ms  ann mention p4 text='it broke' sentiment=-0.5
        d1      ann mention p5 text='it broke' sentiment=-0.5";
    insta::assert_snapshot!(run(POSTS, script), @r"
    d0 ann cohort.entered one
    d0 ann cohort.entered angry
    d0+02:00 bob cohort.entered one
    d0+02:00 bob cohort.entered angry
    d1 ann cohort.entered two
    d0 ann agent.alert public_complaint normal
    d0+02:00 bob agent.alert public_complaint normal
    d1 ann agent.alert public_complaint normal
    ");
}

#[test]
fn an_unknown_author_alerts_under_the_handle() {
    let rules = "
        features:
          posts: { count: mention }
        labels:
          one: posts >= 1
        alerts:
          public_complaint: { on: mention, when: \"public && sentiment <= -0.4 && posts == 0 && !vip\", due: 15m }";
    let script = "
        d0      ann mention p1 customer_id=null sentiment=-0.5 text=bad
        d0+1h   ann mention p1 customer_id=null sentiment=-0.5 text=bad
        d0+2h   ann mention p2 customer_id=null sentiment=-0.5 text=bad
        d0+3h   ann mention p3 customer_id=null sentiment=-0.5 public=false
        d0+4h   ann mention p4 customer_id=null sentiment=0.5
        d0+5h   ann mention p4 update customer_id=null sentiment=-0.5";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 - agent.alert public_complaint normal due_at=d0+00:15
    d0+05:00 - agent.alert public_complaint normal due_at=d0+05:15
    ");
}

#[test]
fn sentiment_is_scored_from_the_words_where_it_is_not_said() {
    let script = "
        d0 ann mention p1 text='This is horrible, the worst shop ever!'
        d0 bob mention p2 text='This is wonderful, the best shop ever!'
        d0 cyd mention p3";
    insta::assert_snapshot!(run(POSTS, script), @r"
    d0 ann cohort.entered one
    d0 ann cohort.entered angry
    d0 bob cohort.entered one
    d0 cyd cohort.entered one
    d0 ann agent.alert public_complaint normal
    ");
}

#[test]
fn distinct_first_and_last_go_by_place_and_at_one_place_by_the_hash_of_the_key() {
    let rules = "
        features:
          kinds: { distinct: purchase.category, over: 30d }
          first_kind: { first: purchase.category }
          last_kind: { last: purchase.category }
        labels:
          varied: kinds >= 2
          began_with_books: first_kind == 'books'
          ends_with_toys: last_kind == 'toys'";
    let script = "
        d1 ann purchase o2 1 category=toys
        d1 ann purchase o1 1 category=books
        d2 ann purchase o3 1
        d3 ann cancel o2";
    insta::assert_snapshot!(run_until("d60", rules, script), @r"
    d1 ann cohort.entered ends_with_toys
    d1 ann cohort.entered varied
    d1 ann cohort.entered began_with_books
    d3 ann cohort.left varied
    d3 ann cohort.left ends_with_toys
    ");
}

#[test]
fn machine_opens_and_mails_sent_are_no_sight_of_the_customer() {
    let rules = "
        features:
          mails: { count: engagement, where: \"action == 'sent'\" }
        labels:
          mailed: mails >= 1
          seen: has(f.last_seen)";
    let script = "
        d0 ann engagement g1 sent
        d1 ann engagement g2 open machine=true
        d2 ann engagement g3 unsubscribe
        d3 ann case k1 1 opened
        d4 ann engagement g4 open";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered mailed
    d4 ann cohort.entered seen
    ");
}

#[test]
fn the_newest_profile_holds_whatever_the_order() {
    let rules = "
        labels:
          west: region == 'west'
          partner: role == 'partner'";
    let script = "
        d0 ann customer 2 region=west role=partner
        d1 ann customer 1 region=east
        d2 ann customer 3 region=east role=king
        d3 ann customer 4 region=west role=partner";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered west
    d0 ann cohort.entered partner
    d2 ann cohort.left west
    d2 ann cohort.left partner
    d3 ann cohort.entered west
    d3 ann cohort.entered partner
    ");
}
