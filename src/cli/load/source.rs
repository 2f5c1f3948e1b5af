//! Where records come from: the generator, or existing files.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;

use super::{Flow, Total};
use crate::load::{Generated, Load};
use crate::model::event::Kind;

/// Hands on made-up traffic.
pub(super) fn generate(mut load: Load, flow: &mut Flow<'_>) -> anyhow::Result<()> {
    let mut record = Generated::default();
    while load.next_into(&mut record) {
        let key = record.key.as_ref().map(|key| key.as_str().as_bytes());
        flow.record(record.kind, key, &record.json, 1)?;
    }
    Ok(())
}

/// Hands on files, one after the other: every line as it is, keyed by its customer where one can be read.
pub(super) fn read(inputs: &[(Kind, PathBuf)], flow: &mut Flow<'_>) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for (kind, path) in inputs {
        let context = || format!("{}: cannot read", path.display());
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).with_context(context)?);
        loop {
            line.clear();
            let size = file.read_until(b'\n', &mut line).with_context(context)?;
            if size == 0 {
                break;
            }
            let value = line.strip_suffix(b"\n").unwrap_or(&line);
            let key = customer(value);
            flow.record(*kind, key.as_deref().map(str::as_bytes), value, size as u64)?;
        }
    }
    Ok(())
}

/// The files' size; also finds out early that one cannot be read.
pub(super) fn size(inputs: &[(Kind, PathBuf)]) -> anyhow::Result<Total> {
    let mut bytes = 0;
    for (_, path) in inputs {
        let metadata = std::fs::metadata(path).with_context(|| format!("{}: cannot read", path.display()))?;
        bytes += metadata.len();
    }
    Ok(Total::Bytes(bytes))
}

/// The customer of a record, flat or `CloudEvents`; nothing where it cannot be read.
fn customer(value: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Keys<'a> {
        #[serde(borrow, default)]
        customer_id: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        specversion: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        subject: Option<Cow<'a, str>>,
    }
    let keys: Keys<'_> = serde_json::from_slice(value).ok()?;
    keys.customer_id.or(keys.subject.filter(|_| keys.specversion.is_some())).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_customer_where_one_can_be_read() {
        let key = |text: &str| customer(text.as_bytes()).map(Cow::into_owned);
        assert_eq!(key(r#"{"event_id":"1","customer_id":"ann"}"#), Some("ann".to_owned()));
        assert_eq!(key(r#"{"specversion":"1.0","subject":"bob","data":{}}"#), Some("bob".to_owned()));
        assert_eq!(key(r#"{"subject":"bob"}"#), None, "a subject is a customer in CloudEvents only");
        for broken in ["", "null", "[1]", r#"{"customer_id":7}"#, r#"{"customer_id":""}"#, r#"{"customer_id":"ann""#] {
            assert_eq!(key(broken), None, "{broken}");
        }
    }
}
