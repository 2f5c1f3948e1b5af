//! The same event in each envelope.

use super::*;

const PURCHASE: &str = r#""order_id":"o1","amount":"12.50","currency":"EUR","status":"completed""#;

fn plain() -> Event {
    decoded(Kind::Purchase, &record(PURCHASE)).unwrap()
}

#[test]
fn a_structured_cloud_event_is_the_plain_event() {
    for value in [
        format!(
            r#"{{"specversion":"1.0","type":"t","source":"s","id":"e1","subject":"ann","time":"1997-01-01T12:00:00Z",
                "datacontenttype":"application/json","data":{{{PURCHASE}}}}}"#
        ),
        // Attributes hold before fields of the data; fields stand in for absent ones.
        format!(
            r#"{{"data":{{{PURCHASE},"event_id":"other","customer_id":"ann","occurred_at":852120000000}},
                "specversion":"1.0","id":"e1","time":null}}"#
        ),
    ] {
        assert_eq!(decoded(Kind::Purchase, &value).unwrap(), plain(), "{value}");
    }
}

#[test]
fn a_binary_cloud_event_is_the_plain_event() {
    let value = format!("{{{PURCHASE}}}");
    let headers: [(&str, &[u8]); 5] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e0"),
        ("ce_id", b"e1"),
        ("ce_subject", b"ann"),
        ("ce_time", b"1997-01-01T13:00:00+01:00"),
    ];
    let raw = RawRecord { value: Some(value.as_bytes()), headers: &headers, ..RawRecord::default() };
    assert_eq!(decode(Kind::Purchase, &raw).unwrap(), plain());
    let value = record(PURCHASE);
    let raw = RawRecord { value: Some(value.as_bytes()), headers: &headers[..1], ..RawRecord::default() };
    assert_eq!(decode(Kind::Purchase, &raw).unwrap(), plain(), "fields stand in for absent headers");
}

#[test]
fn faults_of_an_envelope_name_its_part() {
    let structured = |attributes: &str| format!(r#"{{"specversion":"1.0",{attributes},"data":{{{PURCHASE}}}}}"#);
    for (value, code, message) in [
        (structured(r#""subject":"ann","time":1"#), Code::MissingField, "field `id` is missing"),
        (structured(r#""id":"e1","subject":3,"time":1"#), Code::WrongType, "field `subject` is 3; it must be a string"),
        (
            r#"{"specversion":"0.3","id":"e","data":{}}"#.to_owned(),
            Code::UnknownValue,
            "field `specversion` is not \"1.0\", the only version read",
        ),
        (
            r#"{"specversion":"1.0","data":[]}"#.to_owned(),
            Code::WrongType,
            "field `data` is an array; it must be an object",
        ),
    ] {
        let letter = decoded(Kind::Purchase, &value).unwrap_err();
        assert_eq!((letter.code, letter.message.as_str()), (code, message));
    }
    for (header, code, message) in [
        (
            ("ce_time", &b"yesterday"[..]),
            Code::BadTime,
            "field `ce_time` is \"yesterday\"; it must be an RFC 3339 time with offset, such as 2026-11-21T22:55:00Z, \
             or whole milliseconds since 1970",
        ),
        (("ce_id", &b"\xff"[..]), Code::InvalidUtf8, "header `ce_id` is not UTF-8: \"\u{fffd}\""),
    ] {
        let value = record(PURCHASE);
        let raw = RawRecord { value: Some(value.as_bytes()), headers: &[header], ..RawRecord::default() };
        let letter = decode(Kind::Purchase, &raw).unwrap_err();
        assert_eq!((letter.code, letter.message.as_str()), (code, message));
    }
}
