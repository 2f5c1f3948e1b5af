//! Headers of an output on Kafka: `CloudEvents` 1.0 in binary mode, and what a dead letter says about itself.
//!
//! # Source
//! `CloudEvents` Kafka protocol binding 1.0, section 3.2. The `__streams.errors.*` names are those of Kafka
//! Streams (KIP-1034), so that tools made for its dead letters read ours; there is no stack trace to give.

use super::{ALERT, AUDIT, STATUS, Wire, subject};
use crate::model::output::{Output, OutputId, pivot};
use crate::model::record::{DeadLetter, Position};
use crate::model::time::EventTime;

/// Name and value of a header.
pub type Header = (&'static str, Vec<u8>);

impl Wire {
    /// The headers of an output. `at` is the epoch's wall, where there is one: when a dead letter was refused.
    pub fn headers(&self, output: &Output, at: Option<EventTime>) -> Vec<Header> {
        match output {
            Output::Decision(it) => self.cloud_event(output, it.event_id, it.change.type_name(), it.occurred_at),
            Output::Alert(it) => self.cloud_event(output, it.event_id, ALERT, it.occurred_at),
            Output::Status(it) => {
                let mut headers = self.cloud_event(output, it.event_id, STATUS, it.occurred_at);
                // A null is of no type.
                headers.retain(|(name, _)| it.content.is_some() || *name != CONTENT_TYPE);
                headers
            }
            Output::Audit(it) => self.cloud_event(output, it.event_id, AUDIT, it.occurred_at),
            Output::Insight(it) => self.cloud_event(output, it.event_id, it.finding.type_name(), it.occurred_at),
            Output::Pivot(it) => self.cloud_event(output, it.event_id, pivot::TYPE, it.occurred_at),
            Output::DeadLetter(position, letter) => self.refusal(*position, letter, at),
        }
    }

    fn cloud_event(&self, output: &Output, id: OutputId, kind: &str, time: EventTime) -> Vec<Header> {
        let mut headers = vec![
            (CONTENT_TYPE, b"application/json".to_vec()),
            ("ce_specversion", b"1.0".to_vec()),
            ("ce_id", id.to_string().into_bytes()),
            ("ce_type", kind.as_bytes().to_vec()),
            ("ce_source", format!("/vipstream/{}", uri_segment(&self.ruleset)).into_bytes()),
            ("ce_time", time.to_string().into_bytes()),
        ];
        headers.extend(subject(output).map(|subject| ("ce_subject", subject.into_owned().into_bytes())));
        headers
    }

    fn refusal(&self, position: Position, letter: &DeadLetter, at: Option<EventTime>) -> Vec<Header> {
        let code = letter.code.name().as_bytes();
        let message = letter.message.as_bytes();
        let topic = self.topic(position).as_bytes();
        let partition = position.partition.to_string().into_bytes();
        let offset = position.offset.to_string().into_bytes();
        let mut headers = vec![
            ("vipstream.error.code", code.to_vec()),
            ("vipstream.error.message", message.to_vec()),
            ("vipstream.error.topic", topic.to_vec()),
            ("vipstream.error.partition", partition.clone()),
            ("vipstream.error.offset", offset.clone()),
            ("__streams.errors.exception", code.to_vec()),
            ("__streams.errors.message", message.to_vec()),
            ("__streams.errors.topic", topic.to_vec()),
            ("__streams.errors.partition", partition),
            ("__streams.errors.offset", offset),
        ];
        headers.extend(at.map(|at| ("vipstream.error.at", at.to_string().into_bytes())));
        if let Some(truncated) = letter.truncated {
            headers.push(("vipstream.error.value_bytes", truncated.full_bytes.to_string().into_bytes()));
            headers.push(("vipstream.error.value_xxh3", format!("{:016x}", truncated.xxh3).into_bytes()));
        }
        headers
    }
}

const CONTENT_TYPE: &str = "content-type";

/// The digits of percent-encoding.
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A name as a segment of a URI: what RFC 3986 does not call unreserved is percent-encoded.
fn uri_segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(char::from(byte)),
            _ => {
                segment.push('%');
                segment.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
            }
        }
    }
    segment
}
