//! The Protobuf contract: the committed types are those of the definitions, and survive the wire.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use vipstream::model::event;
use vipstream::model::names::Named;
use vipstream::pivot;
use vipstream::proto::v1;
use vipstream::proto::v1::output::Body;
use vipstream::proto::v1::scalar::Value;
use vipstream::proto::v1::subscription::PeriodEnd;

const DEFINITIONS: [&str; 2] = ["vipstream/v1/inputs.proto", "vipstream/v1/outputs.proto"];
const GENERATED: &str = "src/proto/v1.rs";

/// Types from the definitions, by a compiler in Rust rather than `protoc`.
fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let definitions = protox::compile(DEFINITIONS, [root.join("proto")]).expect("the definitions compile");
    let out = tempfile::tempdir().expect("a folder for the generated file");
    prost_build::Config::new()
        .btree_map(["."])
        .out_dir(out.path())
        .compile_fds(definitions)
        .expect("types can be generated");
    fs::read_to_string(out.path().join("vipstream.v1.rs")).expect("the package's file was generated")
}

#[test]
fn the_committed_types_are_those_of_the_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GENERATED);
    let generated = generate();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated).expect("the generated file can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{GENERATED} is not what proto/ defines; run `UPDATE=1 cargo test --test proto` and commit the file"
    );
}

fn subscription() -> impl Strategy<Value = v1::Subscription> {
    let period_end = prop_oneof![
        any::<i64>().prop_map(PeriodEnd::PeriodEndAt),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}".prop_map(PeriodEnd::PeriodEndOn),
    ];
    (option::of(".*"), option::of(period_end)).prop_map(|(plan, period_end)| v1::Subscription { plan, period_end })
}

fn purchase() -> impl Strategy<Value = v1::Purchase> {
    let texts = prop::array::uniform4(".{0,20}");
    let optional = prop::array::uniform4(option::of(".{0,20}"));
    (texts, any::<i64>(), 0..5, optional, option::of(any::<i64>()), option::of(subscription()), any::<bool>()).prop_map(
        |(texts, occurred_at, status, optional, items, subscription, test)| {
            let [event_id, customer_id, order_id, amount] = texts;
            let [refund_id, category, channel, source] = optional;
            v1::Purchase {
                event_id,
                customer_id,
                occurred_at,
                source,
                order_id,
                amount,
                status,
                refund_id,
                category,
                channel,
                items,
                subscription,
                test,
                ..v1::Purchase::default()
            }
        },
    )
}

fn scalar() -> impl Strategy<Value = v1::Scalar> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Number),
        "-?[0-9]{1,20}\\.[0-9]{1,8}".prop_map(Value::Decimal),
        ".{0,10}".prop_map(Value::Text),
        any::<i64>().prop_map(Value::Time),
    ];
    option::of(value).prop_map(|value| v1::Scalar { value })
}

fn evidence() -> impl Strategy<Value = v1::Evidence> {
    let sample = vec((".{0,10}", any::<u32>(), any::<u64>()), 0..3);
    (".{0,10}", option::of(scalar()), option::of(scalar()), option::of(any::<bool>()), sample).prop_map(
        |(feature, value, threshold, holds, sample)| v1::Evidence {
            feature,
            value,
            threshold,
            holds,
            sample: sample
                .into_iter()
                .map(|(topic, partition, offset)| v1::Position { topic, partition, offset })
                .collect(),
            ..v1::Evidence::default()
        },
    )
}

fn a_pivot() -> impl Strategy<Value = v1::Pivot> {
    let texts = prop::array::uniform3(".{0,10}");
    let decimals = prop::array::uniform4(option::of("-?[0-9]{1,9}"));
    (0..16, option::of(0..16), 0..8, 0..3, prop::array::uniform3(any::<u64>()), texts, decimals, any::<i64>()).prop_map(
        |(
            kind,
            of,
            channel,
            direction,
            [observations, before, after],
            [expected, priors, sentence],
            decimals,
            since,
        )| {
            let [confidence, ratio, days_silent, probability] = decimals;
            let shops = ratio.is_none().then(|| v1::PivotShops { before: priors.clone(), since: expected.clone() });
            v1::Pivot {
                kind,
                of,
                channel,
                direction,
                since,
                observations,
                before,
                after,
                confidence,
                ratio,
                days_silent,
                probability,
                expected,
                priors,
                sentence,
                shops,
                ..v1::Pivot::default()
            }
        },
    )
}

fn output() -> impl Strategy<Value = v1::Output> {
    let names = || vec(".{0,10}", 0..3);
    let body = prop_oneof![
        (".{0,10}", option::of(any::<i64>()), names(), option::of(scalar())).prop_map(
            |(programme, valid_until, standing, weight)| {
                Body::Granted(v1::Granted { programme, valid_until, standing, weight, ..v1::Granted::default() })
            }
        ),
        (".{0,10}", vec(evidence(), 0..2)).prop_map(|(programme, missing)| {
            Body::Expiring(v1::Expiring { programme, missing, ..v1::Expiring::default() })
        }),
        a_pivot().prop_map(Body::Pivot),
        (".{0,10}", ".{0,10}").prop_map(|(label, definition)| Body::CohortLeft(v1::Cohort { label, definition })),
        (names(), vec((".{0,10}", any::<bool>(), vec(evidence(), 0..2)), 0..2)).prop_map(|(labels, progress)| {
            let progress = progress.into_iter().map(|(programme, held, rows)| v1::Progress {
                programme,
                held,
                rows,
                ..v1::Progress::default()
            });
            Body::Status(v1::Status { labels, progress: progress.collect(), ..v1::Status::default() })
        }),
        (".{0,10}", option::of(any::<i64>()), names()).prop_map(|(decision, until, standing)| {
            Body::Decision(v1::Decision { decision, until, standing, ..v1::Decision::default() })
        }),
    ];
    ("[0-9a-f]{32}", option::of(".{0,10}"), any::<u64>(), 0..6, vec(evidence(), 0..3), option::of(body)).prop_map(
        |(event_id, customer_id, status_seq, origin, evidence, body)| v1::Output {
            event_id,
            customer_id,
            status_seq,
            origin,
            evidence,
            body,
            ..v1::Output::default()
        },
    )
}

proptest! {
    #[test]
    fn an_input_written_is_the_input_read(purchase in purchase()) {
        prop_assert_eq!(v1::Purchase::decode(&purchase.encode_to_vec()[..]), Ok(purchase));
    }

    #[test]
    fn an_output_written_is_the_output_read(output in output()) {
        prop_assert_eq!(v1::Output::decode(&output.encode_to_vec()[..]), Ok(output));
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error_and_no_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = v1::Output::decode(&bytes[..]);
        let _ = v1::Purchase::decode(&bytes[..]);
    }
}

/// The fields as they lie on the wire: numbers once given stay.
#[test]
fn the_bytes_of_a_purchase_stay_as_they_are() {
    let purchase = v1::Purchase {
        event_id: "e".into(),
        customer_id: "c".into(),
        occurred_at: 1,
        order_id: "o".into(),
        amount: "1.5".into(),
        currency: "EUR".into(),
        status: v1::PurchaseStatus::Refunded.into(),
        refund_id: Some("r".into()),
        test: true,
        ..v1::Purchase::default()
    };
    let expected = b"\x0a\x01e\x12\x01c\x18\x01\x32\x01o\x3a\x031.5\x42\x03EUR\x48\x02\x52\x01r\x88\x01\x01";
    assert_eq!(purchase.encode_to_vec(), expected);
}

/// Each word of a closed list in JSON has its value in Protobuf.
#[test]
fn both_forms_know_the_same_words() {
    fn compare<E: Named>(prefix: &str, knows: impl Fn(&str) -> bool) {
        for value in E::ALL {
            let name = format!("{prefix}_{}", value.name().to_uppercase());
            assert!(knows(&name), "{name}");
        }
        assert!(knows(&format!("{prefix}_UNSPECIFIED")));
    }
    compare::<event::PurchaseStatus>("PURCHASE_STATUS", |name| v1::PurchaseStatus::from_str_name(name).is_some());
    compare::<event::Activity>("ACTIVITY", |name| v1::Activity::from_str_name(name).is_some());
    compare::<event::ReferralStatus>("REFERRAL_STATUS", |name| v1::ReferralStatus::from_str_name(name).is_some());
    compare::<event::PresenceState>("PRESENCE_STATE", |name| v1::PresenceState::from_str_name(name).is_some());
    compare::<event::CaseState>("CASE_STATE", |name| v1::CaseState::from_str_name(name).is_some());
    compare::<event::OverrideAction>("OVERRIDE_ACTION", |name| v1::OverrideAction::from_str_name(name).is_some());
    compare::<event::Acknowledged>("ACKNOWLEDGEMENT_ACTION", |name| {
        v1::AcknowledgementAction::from_str_name(name).is_some()
    });
    for kind in pivot::Kind::ALL {
        let name = format!("PIVOT_KIND_{}", kind.name().to_uppercase());
        assert!(v1::PivotKind::from_str_name(&name).is_some(), "{name}");
    }
    for channel in pivot::Channel::ALL {
        let name = format!("PIVOT_CHANNEL_{}", channel.name().to_uppercase());
        assert!(v1::PivotChannel::from_str_name(&name).is_some(), "{name}");
    }
    compare::<event::Action>("ENGAGEMENT_ACTION", |name| v1::EngagementAction::from_str_name(name).is_some());
}
