//! Whatever the bytes: an answer, never a panic; and what is JSON is decided as `serde_json` decides it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::json::{self, Value};

/// Pieces from which JSON and what nearly is JSON is made.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\"a\"",
    "\"event_id\"",
    "\"amount\"",
    "\"data\"",
    "\"specversion\":\"1.0\"",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "-",
    "1",
    "1.5",
    "01",
    "1e5",
    "1E+400",
    "-0.0",
    ".",
    "1.",
    "e",
    " ",
    "\n",
    "\u{1}",
    "\\u00e9",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\\x",
    "é",
    "{}",
    "[]",
    "[1,2]",
    "{\"a\":{\"b\":[null]}}",
];

fn near_json() -> impl Strategy<Value = String> {
    let pieces = || vec(prop::sample::select(&PIECES[..]), 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![
        pieces(),
        pieces().prop_map(|inside| format!("{{\"a\":{inside}}}")),
        pieces().prop_map(|inside| format!("{{\"a\":[1,{inside}],\"b\":{{}}}}")),
        pieces().prop_map(|inside| format!("{{\"a\":\"{inside}\"}}")),
    ]
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        // Eighths, which `serde_json` reads back as they were written.
        any::<i32>().prop_map(|number| (f64::from(number) / 8.0).into()),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            vec(("[a-d\\\\\"é]{0,4}", inner), 0..6)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&Kind::ALL[..])
}

/// Whether our scanner takes `text` as an object.
fn scans(text: &str) -> bool {
    json::object(text, |_, _| Ok(())).is_ok()
}

/// Whether `serde_json` does, looking at values no closer than it must: neither needs numbers to fit
/// binary floating point, nor, until a text is wanted, surrogates to come in pairs.
#[expect(clippy::zero_sized_map_values, reason = "an object is read, of which only the names are kept")]
fn oracle(text: &str) -> bool {
    serde_json::from_str::<BTreeMap<String, serde::de::IgnoredAny>>(text).is_ok()
}

/// A value as `serde_json` knows it.
fn tree(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Missing => unreachable!("a value that occurs"),
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => flag.into(),
        Value::Text(text) => text.into(),
        Value::Escaped(text) => json::unescape(text).unwrap().into(),
        Value::Number(text) => serde_json::from_str(text).unwrap(),
        Value::Array(text) => {
            let mut elements = Vec::new();
            json::array(text, |element| {
                elements.push(tree(element));
                Ok(())
            })
            .unwrap();
            elements.into()
        }
        Value::Object(text) => object_tree(text),
    }
}

fn object_tree(text: &str) -> serde_json::Value {
    let mut fields = serde_json::Map::new();
    json::object(text, |name, value| {
        fields.insert(name.to_owned(), tree(value));
        Ok(())
    })
    .unwrap();
    fields.into()
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered(kind in kind(), bytes in vec(any::<u8>(), 0..200)) {
        let raw = RawRecord { key: Some(&bytes), value: Some(&bytes), headers: &[("ce_id", &bytes), ("ce_time", &bytes)], ..RawRecord::default() };
        let _ = decode(kind, &raw);
    }

    #[test]
    fn a_good_record_with_some_bytes_changed_is_answered(
        kind in kind(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = minimal(kind).into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        for value in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Err(letter) = decode(kind, &RawRecord { value: Some(value), ..RawRecord::default() }) {
                prop_assert_eq!(letter.value.as_deref(), Some(value));
                prop_assert!(!letter.message.is_empty() && letter.message.len() < 400, "{}", letter.message);
            }
        }
    }

    #[test]
    fn any_value_in_any_field_is_answered(kind in kind(), value in json_value(), place in any::<prop::sample::Index>()) {
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(&minimal(kind)).unwrap();
        let optional = ["scale_min", "subscription", "handles", "attributes", "exception", "text", "sentiment", "data", "time"];
        let names: Vec<String> = fields.keys().cloned().chain(optional.map(str::to_owned)).collect();
        fields.insert(place.get(&names).clone(), value);
        let _ = decoded(kind, &serde_json::Value::Object(fields).to_string());
    }

    #[test]
    fn any_scale_and_score_gives_a_satisfaction_within_bounds(
        digits in prop::array::uniform3("-?[0-9]{1,12}(\\.[0-9]{1,17})?"),
        lower_is_better in any::<bool>(),
    ) {
        let [score, min, max] = digits;
        let value = record(&format!(
            r#""interaction_id":"i","score":"{score}","scale_min":"{min}","scale_max":"{max}","higher_is_better":{lower_is_better}"#
        ));
        if let Ok(Event { body: Body::Csat(csat), .. }) = decoded(Kind::Csat, &value) {
            prop_assert!((rust_decimal::Decimal::ZERO..=rust_decimal::Decimal::ONE).contains(&csat.satisfaction));
        }
    }

    #[test]
    fn what_nearly_is_json_is_judged_as_serde_json_does(text in near_json()) {
        prop_assert_eq!(scans(&text), oracle(&text), "{}", text);
    }

    #[test]
    fn json_is_taken_apart_as_serde_json_does(value in json_value(), pretty in any::<bool>()) {
        let whole = serde_json::json!({ "a": value, "é\"": [value] });
        let text = if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() };
        prop_assert_eq!(object_tree(&text), whole);
    }

    #[test]
    fn any_text_is_found_whole_whatever_its_characters(text in "\\PC{0,40}|[a-z\"\\\\\u{0}-\u{20}é]{0,40}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let whole = format!("{{\"a\":{quoted}}}");
        prop_assert_eq!(object_tree(&whole), serde_json::json!({ "a": text }));
    }
}
