//! Whom the next contact goes to.

use serde_json::Value as Json;

use crate::support::generate::dice::Dice;
use crate::support::script::{explain, in_full, run_until, short_time};

/// Whom each alert on presence is routed to, and whom then.
fn asked(routing: &str, script: &str) -> String {
    let rules = format!(
        "
        features:
          orders: {{ count: purchase }}
        programmes:
          p: {{ profile: value, grant: orders >= 1, routing: {routing} }}
        alerts:
          vip_online: {{ on: presence, when: vip }}"
    );
    in_full(&rules, script).iter().filter(|output| output["type"] == "agent.alert").map(in_short).collect()
}

fn in_short(output: &Json) -> String {
    let word = |of: &Json, name: &str| of[name].as_str().unwrap_or("-").to_owned();
    let routing = &output["routing"];
    let at = short_time(output["occurred_at"].as_str().expect("a time"));
    let mut text =
        format!("{at} {}: {} {}", word(output, "customer_id"), word(routing, "agent"), word(routing, "reason"));
    for other in routing["fallbacks"].as_array().expect("a list") {
        let share = other["share"].as_str().map(|share| format!(" {share}")).unwrap_or_default();
        let who = ["agent", "team"].map(|name| other[name].as_str().unwrap_or_default()).concat();
        text.push_str(&format!(" > {who}{share}"));
    }
    text.push('\n');
    text
}

const THREE_AGENTS: &str = "
    d0 a1 agent 1 online team=care
    d0 a2 agent 1 online team=care skills=[\"billing\"]
    d0 a3 agent 1 online team=desk
    d0 ann purchase o1 1
    d0 bob purchase o2 1";

fn with_agents(script: &str) -> String {
    format!("{THREE_AGENTS}{script}")
}

#[test]
fn who_resolved_well_last_comes_first_then_who_resolves_well_then_the_team() {
    let script = with_agents(
        "
        d1 ann case k1 1 solved agent_id=a1
        d2 ann case k2 1 solved agent_id=a2
        d3 ann presence s1 online
        d3 bob presence s2 online
        d4 a2 agent 2 away team=care
        d5 ann presence s1 online
        d6 a1 agent 2 online team=care capacity=2 open_cases=2
        d7 ann presence s1 online
        d8 a1 agent 3 online team=care capacity=2 open_cases=1
        d9 ann presence s1 online",
    );
    // While a2 is away nobody but a2 resolved well last: an agent before them is not.
    insta::assert_snapshot!(asked("{ team: care, agent: last_resolved }", &script), @r"
    d3 ann: a2 last_resolved > a1 0.67 > care
    d3 bob: a1 resolves_well > a2 0.67 > care
    d5 ann: a1 resolves_well > care
    d7 ann: - team
    d9 ann: a1 resolves_well > care
    ");
}

#[test]
fn who_is_chosen_first_need_not_be_of_the_team() {
    let script = with_agents("\nd1 ann case k1 1 solved agent_id=a3\nd2 ann presence s1 online");
    insta::assert_snapshot!(asked("{ team: care, agent: last_resolved }", &script), @"d2 ann: a3 last_resolved > a1 0.5 > a2 0.5 > care");
    insta::assert_snapshot!(asked("{ agent: best }", &script), @"d2 ann: a3 resolves_well > a1 0.5 > a2 0.5");
    insta::assert_snapshot!(asked("{ agent: best, skill: billing }", &script), @"d2 ann: a2 resolves_well");
    insta::assert_snapshot!(asked("{ team: desk, agent: best, skill: billing }", &script), @"d2 ann: - team");
}

#[test]
fn a_case_reopened_late_or_disliked_was_not_resolved_well() {
    for line in [
        "d2 ann case k1 2 reopened",
        "d2 ann case k1 2 updated sla_breached=true",
        "d2 ann csat i1 3 case_id=k1",
        "d2 ann csat i1 1 agent_id=a1",
        "d7+23h59m ann csat i1 1 agent_id=a1",
        "d2 ann csat i1 5 case_id=k1\nd3 ann csat i1 2 revision=1 case_id=k1",
    ] {
        let script = with_agents(&format!("\nd1 ann case k1 1 solved agent_id=a1\n{line}\nd9 ann presence s1 online"));
        let seen = asked("{ agent: last_resolved }", &script);
        assert_eq!(seen, "d9 ann: a2 resolves_well > a3 0.5 > a1 0.33\n", "{line}");
    }
}

#[test]
fn what_is_corrected_or_about_something_else_leaves_it_resolved_well() {
    for line in [
        "d2 ann case k1 2 reopened\nd3 ann case k1 3 closed agent_id=a1",
        "d2 ann case k1 2 updated",
        "d2 ann case k1 2 updated sla_breached=true\nd3 ann case k1 3 updated sla_breached=false",
        "d2 ann csat i1 4 case_id=k1",
        "d2 ann csat i1 1 case_id=k2",
        "d2 ann csat i1 1 agent_id=a2",
        "d8 ann csat i1 1 agent_id=a1",
        "d0+23h ann csat i1 1 agent_id=a1",
        "d2 ann csat i1 1 case_id=k1\nd3 ann csat i1 5 revision=1 case_id=k1",
    ] {
        let script = with_agents(&format!("\nd1 ann case k1 1 solved agent_id=a1\n{line}\nd9 ann presence s1 online"));
        let seen = asked("{ agent: last_resolved }", &script);
        assert_eq!(seen, "d9 ann: a1 last_resolved > a2 0.5 > a3 0.5\n", "{line}");
    }
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let lines = [
        "ann case k1 1 opened agent_id=a3",
        "ann case k1 2 solved agent_id=a1",
        "ann case k1 3 reopened",
        "ann case k1 4 closed agent_id=a2",
        "ann case k2 1 solved agent_id=a1 sla_breached=true",
        "ann case k2 2 updated sla_breached=false",
        "ann case k3 7 closed agent_id=a3",
        "ann csat i1 1 case_id=k1",
        "ann csat i1 5 case_id=k1 revision=1",
        "ann csat i2 2 agent_id=a3",
    ];
    for seed in 0..20 {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        Dice::new(seed).shuffle(&mut order);
        let told: Vec<String> = order.iter().map(|at| format!("d1+{at}m {}", lines[*at])).collect();
        let script = with_agents(&format!("\n{}\nd2 ann presence s1 online", told.join("\n")));
        let last = asked("{ agent: last_resolved }", &script);
        assert_eq!(last, "d2 ann: a1 last_resolved > a2 0.67 > a3 0.33\n", "{told:?}");
        let best = asked("{ agent: best }", &script);
        assert_eq!(best, "d2 ann: a1 resolves_well > a2 0.67 > a3 0.33\n", "{told:?}");
    }
}

#[test]
fn who_handled_most_cases_is_familiar() {
    let script = with_agents(
        "
        d1 ann case k1 1 opened agent_id=a1
        d2 ann case k2 1 opened agent_id=a2
        d3 ann presence s1 online
        d4 ann case k1 2 updated
        d5 ann presence s1 online
        d6 ann case k3 1 opened agent_id=a2
        d7 ann presence s1 online
        d8 ann case k3 2 transferred agent_id=a3
        d9 ann case k2 2 transferred agent_id=a3
        d10 ann presence s1 online",
    );
    insta::assert_snapshot!(asked("{ agent: familiar }", &script), @r"
    d3 ann: a2 familiar > a1 0.5 > a3 0.5
    d5 ann: a1 familiar > a2 0.5 > a3 0.5
    d7 ann: a2 familiar > a1 0.5 > a3 0.5
    d10 ann: a3 familiar > a1 0.5 > a2 0.5
    ");
}

#[test]
fn the_account_manager_comes_first_whatever_they_have_to_do() {
    let script = with_agents(
        "
        d1 ann customer 1 account_manager=mia
        d1 bob case k1 1 solved agent_id=a1
        d2 ann presence s1 online
        d2 bob presence s2 online",
    );
    insta::assert_snapshot!(asked("{ team: care, agent: account_manager }", &script), @r"
    d2 ann: mia account_manager > care
    d2 bob: - team
    ");
    insta::assert_snapshot!(asked("{ team: care }", &script), @r"
    d2 ann: - team
    d2 bob: - team
    ");
}

#[test]
fn a_verdict_counts_for_every_customer_a_hop_later_and_for_90_days() {
    let script = with_agents(
        "
        d1 ann case k1 1 solved agent_id=a2
        d1 bob presence s1 online
        d1+999ms bob presence s1 heartbeat
        d1+1s bob presence s1 heartbeat
        d90+23h59m bob presence s2 online
        d91 bob presence s2 heartbeat",
    );
    insta::assert_snapshot!(asked("{ agent: best }", &script), @r"
    d1 bob: a1 resolves_well > a2 0.5 > a3 0.5
    d1+00:00:00.999 bob: a1 resolves_well > a2 0.5 > a3 0.5
    d1+00:00:01 bob: a2 resolves_well > a1 0.5 > a3 0.5
    d90+23:59 bob: a2 resolves_well > a1 0.5 > a3 0.5
    d91 bob: a1 resolves_well > a2 0.5 > a3 0.5
    ");
}

#[test]
fn of_equals_who_resolved_more_comes_first_and_three_are_named_at_most() {
    let script = with_agents(
        "
        d0 a4 agent 1 online
        d0 a5 agent 1 online
        d1 ann case k1 1 solved agent_id=a4
        d1 ann case k2 1 solved agent_id=a4 sla_breached=true
        d1 ann case k3 1 solved agent_id=a3
        d2 bob presence s1 online",
    );
    insta::assert_snapshot!(asked("{ agent: best }", &script), @"d2 bob: a3 resolves_well > a4 0.5 > a1 0.5");
}

#[test]
fn an_older_record_of_an_agent_changes_nothing() {
    let script = with_agents(
        "
        d1 a1 agent 3 offline
        d2 a1 agent 2 online
        d3 ann presence s1 online",
    );
    insta::assert_snapshot!(asked("{ agent: best }", &script), @"d3 ann: a2 resolves_well > a3 0.5");
}

#[test]
fn beyond_sixteen_cases_the_oldest_is_forgotten() {
    let cases = (0..17).map(|case| format!("\nd1+{case}m ann case k{case} 1 solved agent_id=a1"));
    let cases = cases.collect::<Vec<_>>().concat();
    let first = "\nd1-1m ann case first 1 solved agent_id=a2\nd1-2m ann case second 1 solved agent_id=a2";
    let script = with_agents(&format!("{first}{cases}\nd2 ann case first 2 reopened\nd3 ann presence s1 online"));
    // What came of a forgotten case stands.
    insta::assert_snapshot!(asked("{ agent: best }", &script), @"d3 ann: a1 resolves_well > a2 0.75 > a3 0.5");
}

#[test]
fn hours_and_minutes_of_a_case_can_be_counted() {
    let rules = "
        features:
          slow: { count: case, where: hours_open >= 24 || first_response_minutes > 60 }
        labels:
          waits: slow >= 1";
    let case = |id: &str, times: &str| format!("d9 {id} case k1 1 solved opened_at=2025-01-01T00:00:00Z {times}\n");
    let script = [
        case("ann", "solved_at=2025-01-01T23:59:59.999Z"),
        case("bob", "solved_at=2025-01-02T00:00:00Z"),
        case("cid", "first_response_at=2025-01-01T01:00:59Z"),
        case("dan", "first_response_at=2025-01-01T01:01:00Z"),
        case("eve", "solved_at=2024-12-01T00:00:00Z"),
        case("fay", ""),
    ];
    insta::assert_snapshot!(explain(rules, &script.concat()), @r"
    d9 bob cohort.entered waits
      slow 1 >= 1 holds case:0:1
    d9 dan cohort.entered waits
      slow 1 >= 1 holds case:0:3
    ");
}

const GRIEVANCE: &str = include_str!("../../deploy/examples/grievance.yaml");

const LET_DOWN: &str = "
    d0 a1 agent 1 online team=recovery
    d0 a2 agent 1 online team=experts skills=[\"escalations\"]
    d1 ann case k1 1 solved agent_id=a1
    d2 ann csat i1 2
    d12 ann csat i2 1
    d3 bob case k2 1 closed agent_id=a1 reopens=2
    d9 bob case k3 1 closed agent_id=a1 transfers=1 sla_breached=true
    d4 cid mention p1 create sentiment=-0.9
    d5 cid case k4 1 opened agent_id=a2
    d6 cid case k4 2 solved agent_id=a1";

#[test]
fn the_grievance_examples_grant_and_revoke() {
    insta::assert_snapshot!(run_until("d250", GRIEVANCE, LET_DOWN), @r"
    d6 cid vip.granted put_right
    d9 bob vip.granted hard_to_resolve
    d12 ann vip.granted let_down
    d93+22:00 cid vip.revoked put_right rule_false
    d101+22:00 ann vip.revoked let_down rule_false
    d188+22:00 bob vip.expiring hard_to_resolve valid_until=d202+22:00
    d202+22:00 bob vip.revoked hard_to_resolve rule_false
    d4 cid agent.alert public_complaint normal due_at=d4+00:15
    ");
}

#[test]
fn the_grievance_examples_tell_why_and_to_whom() {
    insta::assert_snapshot!(explain(GRIEVANCE, LET_DOWN), @r"
    d6 cid vip.granted put_right
      complaints_90d/90d 1 >= 1 holds mention:0:0
      last_case solved case:0:4
    d9 bob vip.granted hard_to_resolve
      hard_cases_180d/180d 2 >= 2 holds case:0:2 case:0:1
    d12 ann vip.granted let_down
      bad_surveys_90d/90d 2 >= 2 holds csat:0:1 csat:0:0
    d4 cid agent.alert public_complaint normal due_at=d4+00:15
      event.public true holds mention:0:0
      event.sentiment -0.9 <= -0.4 holds mention:0:0
    ");
    let granted: String =
        in_full(GRIEVANCE, LET_DOWN).iter().filter(|it| it["type"] == "vip.granted").map(in_short).collect();
    insta::assert_snapshot!(granted, @r"
    d6 cid: a1 last_resolved > recovery
    d9 bob: a2 resolves_well > experts
    d12 ann: a1 familiar > recovery
    ");
}
