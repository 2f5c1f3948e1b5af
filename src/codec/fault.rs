//! Why a record is refused, while it is being read: a code and one sentence, not yet with the bytes.

use super::RawRecord;
use crate::model::record::{Code, DeadLetter};

/// A fault found in a record. Made on the error path only, so the sentence is written at once; boxed, so
/// that a good result costs no more than itself.
#[derive(Debug)]
pub(super) struct Fault(Box<(Code, String)>);

impl Fault {
    /// A fault with its sentence: lower case, no full stop, naming what was found and what is allowed.
    #[cold]
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new((code, message.into())))
    }

    /// The same fault with another sentence, where it has this code.
    #[cold]
    pub(super) fn reworded(mut self, code: Code, sentence: impl FnOnce() -> String) -> Self {
        if self.0.0 == code {
            self.0.1 = sentence();
        }
        self
    }

    /// The dead letter of `record`.
    pub(super) fn dead_letter(self, record: &RawRecord<'_>) -> DeadLetter {
        let (code, message) = *self.0;
        DeadLetter::of(code, message, record.key, record.value)
    }
}

/// At most [`SHOWN_CHARS`] characters of what was found, for a sentence; control characters escaped.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == SHOWN_CHARS {
            out.push_str("...");
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Enough to recognise a value by, too little to repeat a record.
const SHOWN_CHARS: usize = 40;
