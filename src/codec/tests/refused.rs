//! Each way to be refused: the code and the sentence that a person reads.

use super::*;

/// A minimal record of the kind with one field set otherwise; `""` leaves the field out.
fn with(kind: Kind, name: &str, value: &str) -> String {
    let mut fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&minimal(kind)).unwrap();
    fields.remove(name);
    let mut lines: Vec<String> = fields.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    if !value.is_empty() {
        lines.push(format!(r#""{name}":{value}"#));
    }
    format!("{{{}}}", lines.join(","))
}

/// Kind, field and value; then code and sentence. An empty value leaves the field out.
const BAD_FIELDS: &[(Kind, &str, &str, Code, &str)] = &[
    (Kind::Purchase, "event_id", "", Code::MissingField, "field `event_id` is missing"),
    (Kind::Purchase, "event_id", "null", Code::MissingField, "field `event_id` is missing"),
    (Kind::Purchase, "event_id", "\"\"", Code::MissingField, "field `event_id` is empty"),
    (Kind::Presence, "customer_id", "", Code::MissingField, "field `customer_id` is missing"),
    (Kind::Purchase, "occurred_at", "", Code::MissingField, "field `occurred_at` is missing"),
    (Kind::Purchase, "order_id", "", Code::MissingField, "field `order_id` is missing"),
    (Kind::Purchase, "amount", "", Code::MissingField, "field `amount` is missing"),
    (Kind::Purchase, "currency", "", Code::MissingField, "field `currency` is missing"),
    (Kind::Csat, "score", "", Code::MissingField, "field `score` is missing"),
    (Kind::Mention, "public", "", Code::MissingField, "field `public` is missing"),
    (Kind::Case, "version", "", Code::MissingField, "field `version` is missing"),
    (Kind::Referral, "status", "null", Code::MissingField, "field `status` is missing"),
    (Kind::Purchase, "customer_id", "17", Code::WrongType, "field `customer_id` is 17; it must be a string"),
    (Kind::Purchase, "category", "[1]", Code::WrongType, "field `category` is an array; it must be a string"),
    (Kind::Purchase, "items", "\"2\"", Code::WrongType, "field `items` is \"2\"; it must be a whole number"),
    (Kind::Purchase, "items", "2.5", Code::WrongType, "field `items` is 2.5; it must be a whole number"),
    (Kind::Purchase, "test", "\"no\"", Code::WrongType, "field `test` is \"no\"; it must be true or false"),
    (
        Kind::Purchase,
        "subscription",
        r#"{"period_end":"9999-12-31"}"#,
        Code::BadTime,
        "field `period_end` is \"9999-12-31\"; it must be a date such as 2026-12-31, or a time with offset, from 1970 to 2500",
    ),
    (Kind::Purchase, "subscription", "true", Code::WrongType, "field `subscription` is true; it must be an object"),
    (
        Kind::Purchase,
        "amount",
        "{}",
        Code::WrongType,
        "field `amount` is an object; it must be a decimal number or a string that holds one",
    ),
    (Kind::Csat, "score", "\"good\"", Code::WrongType, "field `score` is \"good\"; it must be a decimal number"),
    (Kind::Customer, "handles", "[\"@ann\"]", Code::WrongType, "field `handles` is \"@ann\"; it must be an object"),
    (
        Kind::Customer,
        "attributes",
        "{\"a\":[]}",
        Code::WrongType,
        "field `attributes` is an array; it must be a string",
    ),
    (
        Kind::Purchase,
        "occurred_at",
        "true",
        Code::WrongType,
        "field `occurred_at` is true; it must be an RFC 3339 time or milliseconds since 1970",
    ),
    (
        Kind::Purchase,
        "occurred_at",
        "\"1997-01-01T12:00:00\"",
        Code::BadTime,
        "field `occurred_at` is \"1997-01-01T12:00:00\"; a time needs an offset, such as Z or +02:00",
    ),
    (
        Kind::Purchase,
        "occurred_at",
        "-1",
        Code::BadTime,
        "field `occurred_at` is -1; a time lies from 1970-01-01 to 2500-01-01, numbers being milliseconds",
    ),
    (
        Kind::Purchase,
        "occurred_at",
        "1e12",
        Code::BadTime,
        "field `occurred_at` is 1e12; it must be an RFC 3339 time with offset, such as 2026-11-21T22:55:00Z, \
             or whole milliseconds since 1970",
    ),
    (Kind::Purchase, "amount", "-5", Code::BadAmount, "field `amount` is -5; an amount is zero or more"),
    (Kind::Purchase, "amount", "1e12", Code::BadAmount, "field `amount` is 1e12; an amount is below 10^12"),
    (
        Kind::Purchase,
        "amount",
        "\"1,50\"",
        Code::BadAmount,
        "field `amount` is \"1,50\"; an amount is a decimal number, such as 12.50 or \"12.50\"",
    ),
    (
        Kind::Purchase,
        "amount",
        "0.12345678901234567890123456789",
        Code::BadAmount,
        "field `amount` is 0.12345678901234567890123456789; an amount has at most 28 digits",
    ),
    (Kind::Referral, "value", "-1", Code::BadAmount, "field `value` is -1; an amount is zero or more"),
    (
        Kind::Purchase,
        "currency",
        "\"EURO\"",
        Code::UnknownCurrency,
        "field `currency` is \"EURO\"; it must be an ISO 4217 code, three capital letters such as EUR",
    ),
    (
        Kind::Purchase,
        "status",
        "\"paid\"",
        Code::UnknownValue,
        "field `status` is \"paid\"; it must be one of completed, refunded, cancelled, disputed",
    ),
    (
        Kind::Presence,
        "state",
        "\"On\\nline\"",
        Code::UnknownValue,
        "field `state` is \"On\\nline\"; it must be one of online, heartbeat, offline",
    ),
    (Kind::Csat, "score", "6", Code::OutOfRange, "field `score` is 6; it must be from 1 to 5"),
    (
        Kind::Csat,
        "scale_min",
        "5",
        Code::OutOfRange,
        "field `scale_max` is 5; it must be above `scale_min`, which is 5",
    ),
    (
        Kind::Csat,
        "scale_max",
        "1e12",
        Code::OutOfRange,
        "field `scale_max` is 1e12; it must be below 10^12 in size with at most 28 digits",
    ),
    (
        Kind::Csat,
        "revision",
        "-1",
        Code::OutOfRange,
        "field `revision` is -1; it must be from 0 to 9223372036854775807",
    ),
    (Kind::Mention, "sentiment", "1.01", Code::OutOfRange, "field `sentiment` is 1.01; it must be from -1 to 1"),
    (
        Kind::Mention,
        "followers",
        "-1",
        Code::OutOfRange,
        "field `followers` is -1; it must be from 0 to 9223372036854775807",
    ),
    (Kind::Presence, "ttl_s", "0", Code::OutOfRange, "field `ttl_s` is 0; it must be from 1 to 86400"),
    (Kind::Presence, "ttl_s", "86401", Code::OutOfRange, "field `ttl_s` is 86401; it must be from 1 to 86400"),
    (
        Kind::Case,
        "version",
        "99999999999999999999",
        Code::OutOfRange,
        "field `version` is 99999999999999999999; it must be from 0 to 9223372036854775807",
    ),
    (Kind::FxRate, "base", "", Code::MissingField, "field `base` is missing"),
    (Kind::FxRate, "rate", "null", Code::MissingField, "field `rate` is missing"),
    (Kind::FxRate, "valid_on", "", Code::MissingField, "field `valid_on` is missing"),
    (
        Kind::FxRate,
        "quote",
        "\"eur\"",
        Code::UnknownCurrency,
        "field `quote` is \"eur\"; it must be an ISO 4217 code, three capital letters such as EUR",
    ),
    (
        Kind::FxRate,
        "rate",
        "0",
        Code::OutOfRange,
        "field `rate` is 0; it must be above 0 and at most 10^12 with at most 28 digits",
    ),
    (
        Kind::FxRate,
        "rate",
        "\"1000000000000.01\"",
        Code::OutOfRange,
        "field `rate` is \"1000000000000.01\"; it must be above 0 and at most 10^12 with at most 28 digits",
    ),
    (Kind::FxRate, "rate", "\"par\"", Code::WrongType, "field `rate` is \"par\"; it must be a decimal number"),
    (
        Kind::FxRate,
        "rate",
        "[]",
        Code::WrongType,
        "field `rate` is an array; it must be a decimal number or a string that holds one",
    ),
    (
        Kind::FxRate,
        "valid_on",
        "\"1997-02-29\"",
        Code::BadTime,
        "field `valid_on` is \"1997-02-29\"; it must be a date such as 2026-12-31, from 1970 to 2500",
    ),
    (
        Kind::FxRate,
        "valid_on",
        "\"1997-01-01T00:00:00Z\"",
        Code::BadTime,
        "field `valid_on` is \"1997-01-01T00:00:00Z\"; it must be a date such as 2026-12-31, from 1970 to 2500",
    ),
    (
        Kind::FxRate,
        "valid_on",
        "852120000000",
        Code::WrongType,
        "field `valid_on` is 852120000000; it must be a string",
    ),
    (Kind::Account, "account_id", "", Code::MissingField, "field `account_id` is missing"),
    (Kind::Account, "version", "", Code::MissingField, "field `version` is missing"),
    (
        Kind::Account,
        "icp_fit",
        "true",
        Code::WrongType,
        "field `icp_fit` is true; it must be a decimal number or a string that holds one",
    ),
    (
        Kind::Account,
        "renewal_on",
        "\"soon\"",
        Code::BadTime,
        "field `renewal_on` is \"soon\"; it must be a date such as 2026-12-31, from 1970 to 2500",
    ),
    (Kind::Account, "contract_value", "-1", Code::BadAmount, "field `contract_value` is -1; an amount is zero or more"),
    (Kind::Account, "attributes", "[]", Code::WrongType, "field `attributes` is an array; it must be an object"),
    (Kind::Agent, "agent_id", "\"\"", Code::MissingField, "field `agent_id` is empty"),
    (Kind::Agent, "state", "", Code::MissingField, "field `state` is missing"),
    (
        Kind::Agent,
        "state",
        "\"busy\"",
        Code::UnknownValue,
        "field `state` is \"busy\"; it must be one of online, away, offline",
    ),
    (Kind::Agent, "skills", "\"billing\"", Code::WrongType, "field `skills` is \"billing\"; it must be an array"),
    (Kind::Agent, "skills", "[1]", Code::WrongType, "field `skills` is 1; it must be a string"),
    (Kind::Agent, "skills", "[\"\"]", Code::MissingField, "field `skills` is empty"),
    (
        Kind::Agent,
        "capacity",
        "-1",
        Code::OutOfRange,
        "field `capacity` is -1; it must be from 0 to 9223372036854775807",
    ),
    (Kind::Agent, "open_cases", "1.5", Code::WrongType, "field `open_cases` is 1.5; it must be a whole number"),
    (Kind::Erasure, "request_id", "null", Code::MissingField, "field `request_id` is missing"),
    (Kind::Case, "exception", "{}", Code::MissingField, "field `kind` is missing"),
    (
        Kind::Override,
        "expires_at",
        "null",
        Code::MissingField,
        "field `expires_at` is missing: what a person decides against the rule needs an end",
    ),
    (
        Kind::Override,
        "expires_at",
        "\"1997-01-01T12:00:00Z\"",
        Code::OutOfRange,
        "field `expires_at` is 1997-01-01T12:00:00.000Z; it must be after `occurred_at`, which is 1997-01-01T12:00:00.000Z",
    ),
    (
        Kind::Override,
        "action",
        "\"promote\"",
        Code::UnknownValue,
        "field `action` is \"promote\"; it must be one of grant, deny, lift",
    ),
    (Kind::Override, "reason", "\"\"", Code::MissingField, "field `reason` is empty"),
    (
        Kind::Acknowledgement,
        "make_vip",
        "{\"programme\":\"big\"}",
        Code::MissingField,
        "field `expires_at` is missing: what a person decides against the rule needs an end",
    ),
    (
        Kind::Acknowledgement,
        "customer_id",
        "null",
        Code::MissingField,
        "field `customer_id` is missing: the alert names it; an author known by handle alone cannot be made a VIP",
    ),
    (
        Kind::Purchase,
        "order_id",
        "\"\\ud800\"",
        Code::InvalidJson,
        "a string escapes half a surrogate pair, which is no character",
    ),
];

#[test]
fn a_bad_field_is_named_with_what_was_found_and_what_is_allowed() {
    for &(kind, name, value, code, message) in BAD_FIELDS {
        let letter = decoded(kind, &with(kind, name, value)).unwrap_err();
        assert_eq!((letter.code, letter.message.as_str()), (code, message), "{name}: {value}");
    }
}

#[test]
fn a_long_value_is_cut_in_the_sentence_but_kept_in_the_bytes() {
    let value = with(Kind::Purchase, "status", &format!("\"{}\"", "é".repeat(1000)));
    let letter = decoded(Kind::Purchase, &value).unwrap_err();
    let shown = format!("field `status` is \"{}...\"; it must be one of ", "é".repeat(40));
    assert!(letter.message.starts_with(&shown), "{}", letter.message);
    assert_eq!(letter.value.as_deref(), Some(value.as_bytes()));
}

#[test]
fn an_id_may_have_256_bytes() {
    let id = |bytes: usize| format!("\"{}\"", "i".repeat(bytes));
    for name in ["event_id", "customer_id", "order_id", "refund_id", "account_id"] {
        assert!(decoded(Kind::Purchase, &with(Kind::Purchase, name, &id(256))).is_ok(), "{name}");
        let letter = decoded(Kind::Purchase, &with(Kind::Purchase, name, &id(257))).unwrap_err();
        assert_eq!(letter.code, Code::IdTooLong);
        assert_eq!(letter.message, format!("field `{name}` is 257 bytes long; at most 256 are allowed"));
    }
}

#[test]
fn an_id_holds_no_control_character_wherever_it_stands() {
    let remedy = "an id holds no control characters: take them out where the record is written";
    let fields = [
        (Kind::Purchase, &["event_id", "customer_id", "order_id", "refund_id", "account_id"][..]),
        (Kind::Referral, &["referred_customer_id", "referral_id"]),
        (Kind::Customer, &["merged_into", "account_id", "account_manager"]),
        (Kind::Mention, &["platform", "handle", "post_id", "in_reply_to"]),
        (Kind::Case, &["case_id", "agent_id"]),
        (Kind::Account, &["account_id", "parent_account_id"]),
        (Kind::Agent, &["agent_id"]),
    ];
    for (kind, name) in fields.iter().flat_map(|(kind, names)| names.iter().map(|name| (*kind, *name))) {
        for id in [r#""\u0001x:y""#, r#""\u0002acme""#, r#""\u0003""#, r#""a\nb""#, "\"a\u{7f}\""] {
            let letter = decoded(kind, &with(kind, name, id)).unwrap_err();
            let shown = id.replace('\u{7f}', r"\u{7f}");
            assert_eq!((letter.code, letter.message), (Code::BadId, format!("field `{name}` is {shown}; {remedy}")));
        }
        // Unlike other characters that need care.
        assert!(decoded(kind, &with(kind, name, r#""a|\"b\u0020\u00e9""#)).is_ok(), "{name}");
    }
    let handle = with(Kind::Customer, "handles", r#"[{"platform":"x","handle":"\u0001"}]"#);
    assert_eq!(decoded(Kind::Customer, &handle).unwrap_err().code, Code::BadId);
    let forgotten = RawRecord { key: Some(b"\x02acme"), ..RawRecord::default() };
    let letter = decode(Kind::Customer, &forgotten).unwrap_err();
    assert_eq!((letter.code, letter.message), (Code::BadId, format!("the key is \"\\u{{2}}acme\"; {remedy}")));
    let value = with(Kind::Csat, "comment", "\"\"");
    let headers: [(&str, &[u8]); 1] = [("ce_subject", b"\x01x:y")];
    let letter =
        decode(Kind::Csat, &RawRecord { value: Some(value.as_bytes()), headers: &headers, ..RawRecord::default() });
    let letter = letter.unwrap_err();
    assert_eq!(
        (letter.code, letter.message),
        (Code::BadId, format!("field `ce_subject` is \"\\u{{1}}x:y\"; {remedy}"))
    );
}

#[test]
fn what_is_no_record_at_all() {
    for (value, code, message) in [
        ("", Code::InvalidJson, "not JSON at byte 0: found the end, expected a value"),
        (" \t", Code::InvalidJson, "not JSON at byte 2: found the end, expected a value"),
        ("{\"a\":1", Code::InvalidJson, "not JSON at byte 6: found the end, expected `,` or `}`"),
        ("{\"a\":1}}", Code::InvalidJson, "not JSON at byte 7: found `}`, expected the end"),
        ("{\"a\":01}", Code::InvalidJson, "not JSON at byte 6: found `1`, expected `,` or `}`"),
        ("{\"a\":'x'}", Code::InvalidJson, "not JSON at byte 5: found `'`, expected a value"),
        ("{a:1}", Code::InvalidJson, "not JSON at byte 1: found `a`, expected a field name"),
        (
            "{\"a\":\"\n\"}",
            Code::InvalidJson,
            "not JSON at byte 6: found `\\n`, expected no control character inside a string",
        ),
        ("{\"a\":[1,]}", Code::InvalidJson, "not JSON at byte 8: found `]`, expected a value"),
        ("{\"event_id\":\"a\",\"event_id\":\"b\"}", Code::InvalidJson, "field `event_id` occurs twice"),
        ("null", Code::NullValue, "the record is null; it must be a JSON object"),
        ("[{}]", Code::NotAnObject, "the record is an array; it must be a JSON object"),
        ("\"text\"", Code::NotAnObject, "the record is a string; it must be a JSON object"),
        (" 42 ", Code::NotAnObject, "the record is a number; it must be a JSON object"),
        ("true", Code::NotAnObject, "the record is a boolean; it must be a JSON object"),
    ] {
        let letter = decoded(Kind::Customer, value).unwrap_err();
        assert_eq!((letter.code, letter.message.as_str()), (code, message), "{value}");
        assert_eq!(letter.value.as_deref(), Some(value.as_bytes()));
    }
}

#[test]
fn bytes_that_are_no_text_and_records_without_value() {
    let refused = |kind, raw: RawRecord<'_>| *decode(kind, &raw).unwrap_err();
    let letter =
        refused(Kind::Csat, RawRecord { value: Some(b"{\"a\":\"\xff\"}"), key: Some(b"k"), ..RawRecord::default() });
    assert_eq!((letter.code, letter.message.as_str()), (Code::InvalidUtf8, "the value is not UTF-8 from byte 6 on"));
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k"[..]), Some(&b"{\"a\":\"\xff\"}"[..])));
    let letter = refused(Kind::Purchase, RawRecord { key: Some(b"ann"), ..RawRecord::default() });
    assert_eq!((letter.code, letter.value.as_deref()), (Code::NullValue, None));
    let letter = refused(Kind::FxRate, RawRecord { key: Some(b"USD/EUR"), ..RawRecord::default() });
    assert_eq!(
        (letter.code, letter.message.as_str()),
        (Code::NullValue, "the record has no value; only a customer, account or agent record may lack it")
    );
    let letter = refused(Kind::Agent, RawRecord::default());
    assert_eq!(letter.code, Code::NullValue);
    let letter = refused(Kind::Customer, RawRecord::default());
    assert_eq!(letter.code, Code::NullValue);
    let letter = refused(Kind::Customer, RawRecord { key: Some(b"\xff"), ..RawRecord::default() });
    assert_eq!(letter.code, Code::InvalidUtf8);
    let letter = refused(Kind::Customer, RawRecord { key: Some(&[b'k'; 257]), ..RawRecord::default() });
    assert_eq!(letter.code, Code::IdTooLong);
    for millis in [-1, EventTime::MAX.0 + 1] {
        let timestamp = Some(EventTime(millis));
        let letter = refused(Kind::Customer, RawRecord { key: Some(b"ann"), timestamp, ..RawRecord::default() });
        assert_eq!(letter.code, Code::BadTime);
    }
}

#[test]
fn a_record_of_5_mb_is_kept_whole_in_its_dead_letter() {
    let value = with(Kind::Purchase, "category", &format!("\"{}\"", "x".repeat(5_000_000)));
    let letter = decoded(Kind::Purchase, &value).unwrap_err();
    assert_eq!(letter.code, Code::TooLarge);
    assert_eq!(letter.message, format!("the value is {} bytes long; at most 1048576 are read", value.len()));
    assert_eq!((letter.value.map(|value| value.len()), letter.truncated), (Some(value.len()), None));
}

#[test]
fn a_record_of_1_mib_is_read() {
    let short = with(Kind::Purchase, "category", "\"\"");
    let value = with(Kind::Purchase, "category", &format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES - short.len())));
    assert_eq!(value.len(), MAX_VALUE_BYTES);
    assert!(decoded(Kind::Purchase, &value).is_ok());
    assert_eq!(decoded(Kind::Purchase, &format!("{value} ")).unwrap_err().code, Code::TooLarge);
}

#[test]
fn nesting_ends_at_64_levels() {
    let nested = |open: &str, close: &str, levels: usize| {
        with(Kind::Purchase, "x", &format!("{}[1]{}", open.repeat(levels), close.repeat(levels)))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[\"{[\",[2],", "]")] {
        assert!(decoded(Kind::Purchase, &nested(open, close, 62)).is_ok(), "{open}");
        let letter = decoded(Kind::Purchase, &nested(open, close, 63)).unwrap_err();
        assert_eq!(
            (letter.code, letter.message.as_str()),
            (Code::TooDeep, "nested more than 64 levels deep"),
            "{open}"
        );
    }
    for bomb in ["[".repeat(100_000), "{\"a\":".repeat(100_000), with(Kind::Purchase, "x", &"[".repeat(100_000))] {
        let letter = decoded(Kind::Purchase, &bomb).unwrap_err();
        assert_eq!(letter.code, Code::TooDeep);
    }
}
