//! What is found about many customers, on the wire.

use super::{NOON, evidence, position, shown, text, wire};
use crate::model::event::Kind;
use crate::model::output::insight::{Cohort, ExceptionCandidate, Finding, Insight};
use crate::model::output::{Cause, Output, OutputId, Trigger};

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
