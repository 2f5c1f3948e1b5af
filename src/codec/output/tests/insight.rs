//! What is found about many customers, on the wire.

use super::{NOON, evidence, position, shown, text, wire};
use crate::model::event::Kind;
use crate::model::output::insight::{Cohort, ExceptionCandidate, Finding, Insight, PopulationShift};
use crate::model::output::{Cause, Output, OutputId, Trigger};
use crate::pivot;

fn insight() -> Output {
    let cohort = |cohort: &str, cases, customers| Cohort { cohort: cohort.into(), cases, customers };
    Output::Insight(Box::new(Insight {
        event_id: OutputId(0xabc),
        occurred_at: NOON,
        cause: Cause::Event,
        trigger: Some(Trigger { position: position(Kind::Case, 9), event_id: "e-9".into() }),
        evidence: vec![evidence()],
        finding: Finding::ExceptionCandidate(ExceptionCandidate {
            kind: "fee waived".into(),
            cases: 30,
            customers: 20,
            cohorts: vec![cohort("other", 10, 8), cohort("vip", 20, 12)],
            approvers: 3,
            unapproved: 2,
            window: "30d".into(),
            since: NOON,
            proposal: "make it a rule".into(),
        }),
    }))
}

#[test]
fn a_shift_of_the_population_stands_among_the_pivots() {
    let began = PopulationShift {
        ruleset: "acme shop".into(),
        began: None,
        kinds: vec![pivot::Kind::Silence, pivot::Kind::CadenceSlowed],
        customers: 30,
        expected: "0.1369".parse().unwrap(),
        since: NOON,
        until: None,
    };
    let shift = |shift: PopulationShift| {
        let Output::Insight(insight) = insight() else { unreachable!("it is one") };
        Output::Insight(Box::new(Insight { finding: Finding::PopulationShift(shift), ..*insight }))
    };
    let body = |output: &Output| text(output).split_once(r#"],"phase":"#).unwrap().1.to_owned();
    assert_eq!(
        body(&shift(began.clone())),
        r#""began","kinds":["silence","cadence_slowed"],"customers":30,"expected":"0.1369","since":"1997-01-01T12:00:00.000Z"}"#
    );
    let ended = PopulationShift { began: Some(OutputId(0xdef)), until: Some(NOON), ..began };
    let told = body(&shift(ended.clone()));
    assert!(told.starts_with(r#""ended","shift":"00000000000000000000000000000def","kinds""#), "{told}");
    assert!(told.ends_with(r#","until":"1997-01-01T12:00:00.000Z"}"#), "{told}");
    assert_eq!((shift(ended.clone()).topic(), insight().topic()), ("vip.pivots", "vip.insights"));
    assert_eq!(wire().key(&shift(ended)).as_deref(), Some(&b"acme shop"[..]));
}

#[test]
fn an_insight_names_no_customer_and_is_keyed_by_what_it_is_about() {
    let line = text(&insight());
    let (head, tail) = line.split_once(r#""evidence":["#).unwrap();
    assert_eq!(
        head,
        r#"{"event_id":"00000000000000000000000000000abc","type":"exception.candidate","customer_id":null,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":{"topic":"vip.case","partition":1,"offset":9,"event_id":"e-9"},"origin":"replay","#
    );
    let (_, body) = tail.split_once(r#"],"kind""#).unwrap();
    assert_eq!(
        body,
        r#":"fee waived","cases":30,"customers":20,"cohorts":[{"cohort":"other","cases":10,"customers":8},{"cohort":"vip","cases":20,"customers":12}],"approvers":3,"unapproved":2,"window":"30d","since":"1997-01-01T12:00:00.000Z","proposal":"make it a rule"}"#
    );
    assert_eq!(wire().key(&insight()).as_deref(), Some(&b"fee waived"[..]));
    let headers = shown(&wire().headers(&insight(), None));
    assert!(headers.contains("ce_type: exception.candidate\n"), "{headers}");
    assert!(headers.ends_with("ce_subject: fee waived"), "{headers}");
}
