//! Sessions, visits, and alerts once per visit.

use crate::support::script::run;

const ONLINE: &str = "
    features:
      spend: { sum: purchase.amount }
    programmes:
      p: { profile: value, grant: spend >= 100 }
    alerts:
      vip_online: { on: presence, when: vip, once_per: visit }";

#[test]
fn a_vip_alerts_once_per_visit() {
    let script = "
        d0          ann purchase o1 100
        d1          ann presence s1 online ttl_s=60
        d1+30s      ann presence s1 heartbeat ttl_s=60
        d1+10m      ann presence s2 online ttl_s=60
        d1+40m59s   ann presence s3 online ttl_s=60
        d1+71m59s   ann presence s4 online ttl_s=60";
    insta::assert_snapshot!(run(ONLINE, script), @r"
    d0 ann vip.granted p
    d1 ann agent.alert vip_online normal expires_at=d1+00:01
    d1+01:11:59 ann agent.alert vip_online normal expires_at=d1+01:12:59
    ");
}

#[test]
fn a_visit_ends_exactly_at_the_gap_after_the_last_live_session() {
    let script = "
        d0          ann purchase o1 100
        d1          ann presence s1 online ttl_s=60
        d1+31m      ann presence s1 heartbeat ttl_s=60
        d1+63m-1ms  ann presence s1 heartbeat ttl_s=60";
    let script = script.replace("d1+63m-1ms", "d1+61m59s999ms");
    insta::assert_snapshot!(run(ONLINE, &script), @r"
    d0 ann vip.granted p
    d1 ann agent.alert vip_online normal expires_at=d1+00:01
    d1+00:31 ann agent.alert vip_online normal expires_at=d1+00:32
    ");
}

#[test]
fn going_offline_starts_the_gap() {
    let script = "
        d0       ann purchase o1 100
        d1       ann presence s1 online ttl_s=3600
        d1+5m    ann presence s1 offline
        d1+34m   ann presence s2 heartbeat ttl_s=60
        d2       ann presence s1 online ttl_s=3600
        d2+5m    ann presence s1 offline
        d2+35m   ann presence s2 heartbeat ttl_s=60";
    insta::assert_snapshot!(run(ONLINE, script), @r"
    d0 ann vip.granted p
    d1 ann agent.alert vip_online normal expires_at=d1+01:00
    d2 ann agent.alert vip_online normal expires_at=d2+01:00
    d2+00:35 ann agent.alert vip_online normal expires_at=d2+00:36
    ");
}

#[test]
fn a_vip_made_in_mid_visit_alerts_at_the_next_heartbeat() {
    let script = "
        d1     ann presence s1 online
        d1+10s ann purchase o1 100
        d1+60s ann presence s1 heartbeat
        d1+90s ann presence s1 heartbeat";
    insta::assert_snapshot!(run(ONLINE, script), @r"
    d1+00:00:10 ann vip.granted p
    d1+00:01 ann agent.alert vip_online normal expires_at=d1+00:02:30
    ");
}

#[test]
fn an_older_presence_event_never_alerts() {
    let rules = ONLINE.replace(", once_per: visit", "");
    let script = "
        d0     ann purchase o1 100
        d1+10m ann presence s1 online
        d1+9m  ann presence s2 online
        d1+10m ann presence s3 heartbeat
        d1+10m ann presence s3 heartbeat
        d1+11m ann presence s3 offline";
    insta::assert_snapshot!(run(&rules, script), @r"
    d0 ann vip.granted p
    d1+00:10 ann agent.alert vip_online normal expires_at=d1+00:11:30
    d1+00:10 ann agent.alert vip_online normal expires_at=d1+00:11:30
    ");
}

#[test]
fn a_late_session_still_holds_the_visit_open() {
    // s2's late heartbeat of minute 5 lives until minute 65: the event of minute 80 is of the same visit.
    let script = "
        d0     ann purchase o1 100
        d1     ann presence s1 online ttl_s=60
        d1+10m ann presence s1 heartbeat ttl_s=60
        d1+5m  ann presence s2 heartbeat ttl_s=3600
        d1+80m ann presence s1 heartbeat ttl_s=60
        d1+110m ann presence s1 heartbeat ttl_s=60
        d1+142m ann presence s1 heartbeat ttl_s=60";
    insta::assert_snapshot!(run(ONLINE, script), @r"
    d0 ann vip.granted p
    d1 ann agent.alert vip_online normal expires_at=d1+00:01
    d1+02:22 ann agent.alert vip_online normal expires_at=d1+02:23
    ");
}

#[test]
fn the_gap_between_visits_is_the_rulesets() {
    let rules = format!("visit_gap: 5m{}", ONLINE.replace("\n    ", "\n"));
    let script = "
        d0    ann purchase o1 100
        d1    ann presence s1 online ttl_s=60
        d1+6m ann presence s1 online ttl_s=60";
    insta::assert_snapshot!(run(&rules, script), @r"
    d0 ann vip.granted p
    d1 ann agent.alert vip_online normal expires_at=d1+00:01
    d1+00:06 ann agent.alert vip_online normal expires_at=d1+00:07
    ");
}
