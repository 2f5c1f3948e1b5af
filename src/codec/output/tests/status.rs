//! Standings and decisions unseen on the wire, byte for byte.

use super::*;
use crate::model::output::Audit;
use crate::model::output::status::{Content, Membership, Progress, Status, Waitlist};

fn content(full: bool) -> Content {
    let membership = Membership {
        programme: "big".into(),
        profile: "value".into(),
        tier: Some("gold".into()),
        since: NOON,
        valid_until: full.then(|| NOON.plus(Duration::from_hours(24))),
    };
    Content {
        account_id: full.then(|| "acme".into()),
        name: full.then(|| "Ann".into()),
        merged_into: full.then(|| "anna".into()),
        standing: if full { vec!["big".into()] } else { vec![] },
        programmes: if full { vec![membership] } else { vec![] },
        labels: if full { vec!["loyal".into()] } else { vec![] },
        weight: Scalar::Int(if full { 3 } else { 1 }),
        routing: full.then(routing),
        greeting: full.then(|| "Welcome, Ann".into()),
        entitlements: if full { vec!["gift".into()] } else { vec![] },
        channel: full.then(|| "phone".into()),
        progress: vec![Progress {
            programme: "big".into(),
            held: full,
            rows: vec![evidence(), fact(None)],
            waitlist: full.then(|| Waitlist { rank: 3, value: Some(Scalar::Int(7)), cut: None, since: NOON }),
            overridden: None,
        }],
    }
}

fn status(content: Option<Content>) -> Output {
    Output::Status(Box::new(Status {
        event_id: OutputId(0xabc),
        customer_id: CustomerId::from("ann"),
        status_seq: 7,
        occurred_at: NOON,
        cause: Cause::Timer,
        trigger: None,
        content,
    }))
}

#[test]
fn a_standing_is_written_whole_and_its_evidence_without_samples() {
    assert_eq!(
        text(&status(Some(content(true)))),
        r#"{"event_id":"00000000000000000000000000000abc","type":"status","customer_id":"ann","account_id":"acme","status_seq":7,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":null,"origin":"timer","name":"Ann","merged_into":"anna","standing":["big"],"programmes":[{"programme":"big","profile":"value","tier":"gold","since":"1997-01-01T12:00:00.000Z","valid_until":"1997-01-02T12:00:00.000Z"}],"labels":["loyal"],"weight":3,"routing":{"team":"concierge","agent":null,"channel":null,"reason":"team","fallbacks":[{"agent":"bob","reason":"resolves_well","share":"0.9"},{"team":"concierge","reason":"team"}]},"greeting":"Welcome, Ann","entitlements":["gift"],"channel":"phone","progress":[{"programme":"big","held":true,"rows":[{"feature":"spend_365d","window":"365d","value":"5120","threshold":5000,"op":">=","holds":true},{"feature":"role","value":null}],"waitlist":{"rank":3,"value":7,"cut":null,"since":"1997-01-01T12:00:00.000Z"}}]}"#
    );
    let nothing = text(&status(Some(content(false))));
    let tail = r#""origin":"timer","standing":[],"programmes":[],"labels":[],"weight":1,"entitlements":[],"progress":[{"programme":"big","held":false,"#;
    assert!(nothing.contains(tail), "{nothing}");
}

#[test]
fn the_standing_of_somebody_erased_is_a_null_under_their_key() {
    let erased = status(None);
    assert_eq!(wire().key(&erased).as_deref(), Some(&b"ann"[..]));
    assert_eq!(wire().value(&erased, None), None);
    assert_eq!(text(&erased), r#"{"type":"status","customer_id":"ann","status":null}"#);
    let headers = shown(&wire().headers(&erased, None));
    assert!(headers.contains("ce_type: status") && !headers.contains("content-type"), "{headers}");
    let headers = shown(&wire().headers(&status(Some(content(true))), None));
    assert!(headers.starts_with("content-type: application/json") && headers.ends_with("ce_subject: ann"), "{headers}");
}

#[test]
fn what_changed_nothing_visible_says_how_long_it_holds() {
    let audit = |decision, tiers| {
        Output::Audit(Box::new(Audit {
            event_id: OutputId(0xabc),
            customer_id: CustomerId::from("ann"),
            account_id: None,
            status_seq: 7,
            occurred_at: NOON,
            cause: Cause::Timer,
            trigger: None,
            evidence: vec![fact(None)],
            programme: "big".into(),
            decision,
            reason: None,
            until: Some(NOON),
            tiers,
            standing: vec!["big".into()],
            overridden: None,
        }))
    };
    let head = r#"{"event_id":"00000000000000000000000000000abc","type":"decision","customer_id":"ann","status_seq":7,"occurred_at":"1997-01-01T12:00:00.000Z","decided_at":"1997-01-01T12:00:00.000Z","ruleset":{"name":"acme shop","hash":"00ff"},"trigger":null,"origin":"timer","evidence":[{"feature":"role","value":null,"sample":[]}],"programme":"big","#;
    for (decision, tiers, tail) in [
        ("held_by_tenure", None, r#""until":"1997-01-01T12:00:00.000Z","standing":["big"]}"#),
        (
            "tier_held",
            Some([Some("gold".into()), None]),
            r#""until":"1997-01-01T12:00:00.000Z","from":"gold","to":null,"standing":["big"]}"#,
        ),
    ] {
        let output = audit(decision, tiers);
        assert_eq!(text(&output), format!(r#"{head}"decision":"{decision}",{tail}"#));
        assert!(shown(&wire().headers(&output, None)).contains("ce_type: decision"));
        assert_eq!(wire().key(&output).as_deref(), Some(&b"ann"[..]));
    }
}
