//! Percentiles of all customers, taken at each local midnight; and too many overrides among all members.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::support::script::{explain, in_full, row_in_short, run_until, short_time, topic_until};

const TOP: &str = "
    features:
      spend: { sum: purchase.amount, over: 365d }
    labels:
      top: \"spend >= percentile(spend, 0.8)\"";

/// Whatever is asked about raises the alert, so that what it reads shows.
const PROBE: &str = "
    features:
      spend: { sum: purchase.amount, over: 365d }
    alerts:
      probe: { kind: escalation, on: csat, when: \"percentile(spend, 0.5) > 0 || !subscribed\" }";

/// What the alerts of a probe read: when, the cut, and as of when it is.
fn cuts(rules: &str, script: &str) -> String {
    let mut text = String::new();
    for alert in in_full(rules, script).iter().filter(|output| output["type"] == "agent.alert") {
        let at = short_time(alert["occurred_at"].as_str().expect("a time"));
        let row = row_in_short(&alert["evidence"][0]);
        let _ = writeln!(text, "{at} {row}");
    }
    text
}

#[test]
fn a_cut_is_taken_at_midnight_in_force_a_settlement_later_and_stays_until_the_next() {
    let script = "
        d0+1h c1 purchase o1 100
        d0+1h c2 purchase o2 200
        d0+1h c3 purchase o3 300
        d0+1h c4 purchase o4 400
        d0+1h c5 purchase o5 500
        d1+1h c1 purchase o6 1000
        d1+2h c3 purchase o7 99.99";
    insta::assert_snapshot!(run_until("d4", TOP, script), @r"
    d1+00:00:10 c4 cohort.entered top
    d1+00:00:10 c5 cohort.entered top
    d1+01:00 c1 cohort.entered top
    d2+00:00:10 c4 cohort.left top
    ");
}

#[test]
fn the_evidence_names_the_cut_and_as_of_when_it_is() {
    let rules = format!(
        "{TOP}\n    programmes:\n      best: {{ profile: value, grant: \"percentile(spend, 0.5) <= spend || spend * 2 > percentile(f.spend, 0.50)\" }}"
    );
    let script = "
        d0+1h c1 purchase o1 100
        d0+1h c2 purchase o2 4987.65
        d1 c1 csat i1 5
        d2 c1 csat i2 5";
    insta::assert_snapshot!(explain(&rules, script), @r"
    d1+00:00:10 c1 vip.granted best
      spend/365d 100 >= 100 holds as of d1 purchase:0:0
      spend/365d 100 purchase:0:0
      percentile(spend, 0.5) 100 as of d1
    d1+00:00:10 c2 cohort.entered top
      spend/365d 4987.65 >= 4980 holds as of d1 purchase:0:1
    d1+00:00:10 c2 vip.granted best
      spend/365d 4987.65 >= 100 holds as of d1 purchase:0:1
      spend/365d 4987.65 purchase:0:1
      percentile(spend, 0.5) 100 as of d1
    ");
}

#[test]
fn before_the_first_midnight_it_is_missing() {
    let rules = "
        features:
          spend: { sum: purchase.amount, over: 365d }
        labels:
          any: \"spend > percentile(spend, 0.5) || spend > 10\"
          none: \"!(spend > percentile(spend, 0.5))\"";
    let script = "
        d0+1h c1 purchase o1 100
        d1 c1 csat i1 5
        d1+1h c1 csat i1 5";
    insta::assert_snapshot!(explain(rules, script), @r"
    d0+01:00 c1 cohort.entered any
      spend/365d 100 purchase:0:0
      spend/365d 100 > 10 holds purchase:0:0
    d1+00:00:10 c1 cohort.entered none
      spend/365d 100 > 100 fails as of d1 purchase:0:0
    ");
}

#[test]
fn half_of_the_customers_are_above_the_middle() {
    let rules = TOP.replace("spend >= percentile(spend, 0.8)", "spend > percentile(spend, 0.5)");
    let mut script = String::new();
    for number in 0..300 {
        let _ = writeln!(script, "d0+{number}s c{number} purchase o{number} {}", 100 + number * 7 % 300);
    }
    let said = in_full(&rules, &format!("{script}\nd2 zoe csat i1 5"));
    let upper = said.iter().filter(|output| output["type"] == "cohort.entered").count();
    assert_eq!((upper, said.len()), (150, 150));
}

#[test]
fn refunds_merges_and_erasures_count_from_the_next_midnight_on() {
    let script = "
        d0+1h c1 purchase o1 100
        d0+1h c2 purchase o2 200
        d0+1h c3 purchase o3 300
        d0+2h zoe csat i0 5
        d1+1h c3 refund o3 300
        d1+2h zoe csat i1 5
        d2+1h c1 customer 1 merged_into=c2
        d2+2h zoe csat i2 5
        d3+1h zoe csat i3 5
        d4+1h c2 erasure r1
        d4+2h zoe csat i4 5
        d5+2h zoe csat i5 5";
    insta::assert_snapshot!(cuts(PROBE, script), @r"
    d0+02:00 percentile(spend, 0.5) null
    d1+02:00 percentile(spend, 0.5) 200 as of d1
    d2+02:00 percentile(spend, 0.5) 100 as of d2
    d3+01:00 percentile(spend, 0.5) 300 as of d3
    d4+02:00 percentile(spend, 0.5) 300 as of d3
    d5+02:00 percentile(spend, 0.5) null
    ");
}

#[test]
fn what_leaves_the_window_counts_no_more_though_nobody_does_anything() {
    let rules = PROBE.replace("365d", "2d");
    let script = "
        d0+1h c1 purchase o1 100
        d1+1h c2 purchase o2 900
        d1+2h zoe csat i1 5
        d2+2h zoe csat i2 5
        d3+2h zoe csat i3 5";
    insta::assert_snapshot!(cuts(&rules, script), @r"
    d1+02:00 percentile(spend, 0.5) 100 as of d1
    d2+02:00 percentile(spend, 0.5) 900 as of d2
    d3+02:00 percentile(spend, 0.5) null
    ");
}

#[test]
fn midnight_is_the_rulesets_and_the_settlement_the_first_after_it() {
    // Settlements are at 3, 10, 17 and 24 o'clock UTC of day 0, which began an hour before it; the next begins at 23.
    let rules = format!("timezone: Europe/Ljubljana\nsettle: 7h\n{}", crate::support::script::with_head(PROBE));
    let rules = rules.replace("timezone: UTC\n", "");
    let script = "
        d0+1h c1 purchase o1 100
        d0+23h30m c2 purchase o2 10
        d1+6h59m zoe csat i1 5
        d1+7h zoe csat i2 5";
    insta::assert_snapshot!(cuts(&rules, script), @r"
    d1+06:59 percentile(spend, 0.5) 100 as of d0+03:00
    d1+07:00 percentile(spend, 0.5) 10 as of d1
    ");
}

const BOUNDED: &str = "
    overrides: { max_share: 50% }
    features:
      spend: { sum: purchase.amount, over: 365d }
    programmes:
      big: { profile: value, grant: spend >= 100 }";

fn exceeded(insight: &Json) -> String {
    assert_eq!((&insight["customer_id"], &insight["origin"]), (&Json::Null, &"timer".into()));
    let at = short_time(insight["occurred_at"].as_str().expect("a time"));
    let kind = insight["type"].as_str().expect("a type");
    let row = row_in_short(&insight["evidence"][0]);
    format!("{at} {kind} {} of {}: {row}\n", insight["by_override"], insight["members"])
}

#[test]
fn too_many_overrides_are_said_once_and_again_after_they_were_fewer() {
    let script = "
        d0 c1 purchase o1 100
        d1 c2 grant g1 big d30
        d2 c3 grant g2 big d30
        d2+1h c4 grant g3 big d5
        d6 c3 lift g2 big
        d8 c5 grant g4 big d30
        d8 c1 erasure r1";
    let lines = topic_until("d20", "vip.insights", BOUNDED, script);
    insta::assert_snapshot!(lines.iter().map(exceeded).collect::<String>(), @r"
    d2+00:00:10 overrides.exceeded 2 of 3: overrides.share 0.6667 <= 0.5 fails as of d2+00:00:10
    d8+00:00:10 overrides.exceeded 2 of 2: overrides.share 1 <= 0.5 fails as of d8+00:00:10
    ");
}
