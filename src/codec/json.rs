//! A JSON object cut into its fields, in one pass over the text and without copying.
//!
//! Decoding is most of what a record costs, and this is most of decoding, hence not a general parser:
//! strings and numbers stay slices of the text until a field is known to be wanted, exact decimals come
//! straight from their digits, and depth is bounded without recursion. What it accepts is exactly what
//! RFC 8259 allows; a property test compares it with `serde_json`. It never panics on any text.

use super::fault::Fault;
use crate::model::record::Code;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Value<'a> {
    /// The field does not occur.
    #[default]
    Missing,
    Null,
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    /// What stands between the quotes; it holds no escape.
    Text(&'a str),
    /// With its quotes, since it holds escapes: see [`unescape`].
    Escaped(&'a str),
    /// With its brackets; well formed.
    Array(&'a str),
    /// With its braces; well formed.
    Object(&'a str),
}

/// Deepest nesting read, the record's own object included.
pub(super) const MAX_DEPTH: u32 = 64;

/// Hands each field of the object that is the whole of `text` to `take`.
///
/// # Errors
/// Text that is no JSON, no object or nested too deeply, and whatever `take` refuses.
pub(super) fn object<'a>(
    text: &'a str,
    mut take: impl FnMut(&str, Value<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text);
    scanner.blank();
    if scanner.peek() != Some(b'{') {
        return Err(scanner.no_object());
    }
    scanner.at += 1;
    scanner.blank();
    if scanner.peek() == Some(b'}') {
        scanner.at += 1;
        return scanner.end();
    }
    loop {
        let name = scanner.name()?;
        let value = scanner.value()?;
        match name {
            Value::Escaped(raw) => take(&unescape(raw)?, value)?,
            Value::Text(name) => take(name, value)?,
            _ => return Err(scanner.broken("a field name")),
        }
        scanner.blank();
        match scanner.peek() {
            Some(b',') => scanner.at += 1,
            Some(b'}') => break,
            _ => return Err(scanner.broken("`,` or `}`")),
        }
        scanner.blank();
    }
    scanner.at += 1;
    scanner.end()
}

/// Hands each element of a [`Value::Array`]'s text to `take`.
///
/// # Errors
/// Text that is no JSON array, and whatever `take` refuses.
pub(super) fn array<'a>(text: &'a str, mut take: impl FnMut(Value<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text);
    scanner.expect(b'[', "`[`")?;
    scanner.blank();
    if scanner.peek() == Some(b']') {
        scanner.at += 1;
        return scanner.end();
    }
    loop {
        scanner.blank();
        take(scanner.value()?)?;
        scanner.blank();
        match scanner.peek() {
            Some(b',') => scanner.at += 1,
            Some(b']') => break,
            _ => return Err(scanner.broken("`,` or `]`")),
        }
    }
    scanner.at += 1;
    scanner.end()
}

/// The text of a [`Value::Escaped`].
///
/// # Errors
/// Half a surrogate pair, which no text can hold.
pub(super) fn unescape(quoted: &str) -> Result<String, Fault> {
    serde_json::from_str(quoted)
        .map_err(|_| Fault::new(Code::InvalidJson, "a string escapes half a surrogate pair, which is no character"))
}

/// A place in the text. Everything before `at` was well formed.
struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.broken(what));
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing but blanks may follow.
    fn end(&mut self) -> Result<(), Fault> {
        self.blank();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.broken("the end")) }
    }

    /// A field's name, its colon and the blanks behind.
    #[inline]
    fn name(&mut self) -> Result<Value<'a>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.broken("a field name"));
        }
        let name = self.string()?;
        self.blank();
        self.expect(b':', "`:`")?;
        self.blank();
        Ok(name)
    }

    /// The value that begins here.
    #[inline]
    fn value(&mut self) -> Result<Value<'a>, Fault> {
        match self.peek() {
            Some(b'{' | b'[') => self.container(),
            _ => self.scalar(),
        }
    }

    #[inline]
    fn scalar(&mut self) -> Result<Value<'a>, Fault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.broken("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.broken("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    #[inline]
    fn string(&mut self) -> Result<Value<'a>, Fault> {
        let quote = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.broken("no control character inside a string")),
                None => return Err(self.broken("the string's closing quote")),
            }
        }
        self.at += 1;
        Ok(if escaped {
            Value::Escaped(&self.text[quote..self.at])
        } else {
            Value::Text(&self.text[quote + 1..self.at - 1])
        })
    }

    /// Passes over characters that stand for themselves, eight bytes at a time.
    #[inline]
    fn plain(&mut self) {
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let found = special(u64::from_le_bytes(*chunk));
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let hex = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            _ => return Err(self.broken("an escape that JSON knows")),
        };
        self.at += 2;
        for _ in 0..hex {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.broken("four hexadecimal digits"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.broken("a digit")) } else { Ok(()) }
    }

    /// Passes over an array or object with all that it holds. The record's own object is around it.
    fn container(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        let mut open = Open { objects: 0, depth: 1 };
        loop {
            if let Some(bracket @ (b'{' | b'[')) = self.peek() {
                open.push(bracket == b'{')?;
                self.at += 1;
                self.blank();
                if self.peek() != Some(open.closing()) {
                    self.element(&open)?;
                    continue;
                }
            } else {
                self.scalar()?;
                self.blank();
            }
            if self.close(&mut open)? {
                break;
            }
            self.at += 1;
            self.blank();
            self.element(&open)?;
        }
        let text = &self.text[start..self.at];
        Ok(if self.bytes[start] == b'{' { Value::Object(text) } else { Value::Array(text) })
    }

    /// Before an element: in an object its name.
    fn element(&mut self, open: &Open) -> Result<(), Fault> {
        if open.in_object() {
            self.name()?;
        }
        Ok(())
    }

    /// Passes over closing brackets; true when none is open, else a comma is next.
    fn close(&mut self, open: &mut Open) -> Result<bool, Fault> {
        while self.peek() == Some(open.closing()) {
            self.at += 1;
            open.depth -= 1;
            if open.depth == 1 {
                return Ok(true);
            }
            self.blank();
        }
        if self.peek() == Some(b',') { Ok(false) } else { Err(self.broken("`,` or a closing bracket")) }
    }

    #[cold]
    fn broken(&self, expected: &str) -> Fault {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) if c.is_control() => format!("`{}`", c.escape_default()),
            Some(c) => format!("`{c}`"),
            None => "the end".to_owned(),
        };
        Fault::new(Code::InvalidJson, format!("not JSON at byte {}: found {found}, expected {expected}", self.at))
    }

    /// Says what stands where the record's object should.
    #[cold]
    fn no_object(&mut self) -> Fault {
        let (code, found) = match self.value().and_then(|value| self.end().map(|()| value)) {
            Err(fault) => return fault,
            Ok(Value::Null) => (Code::NullValue, "null"),
            Ok(Value::Array(_)) => (Code::NotAnObject, "an array"),
            Ok(Value::Bool(_)) => (Code::NotAnObject, "a boolean"),
            Ok(Value::Number(_)) => (Code::NotAnObject, "a number"),
            Ok(_) => (Code::NotAnObject, "a string"),
        };
        Fault::new(code, format!("the record is {found}; it must be a JSON object"))
    }
}

/// The brackets open at one place: a bit each, so that depth costs no stack.
struct Open {
    /// Bit `depth - 1` is set where the bracket at that depth is a brace.
    objects: u64,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::new(Code::TooDeep, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let bit = 1 << self.depth;
        self.objects = if object { self.objects | bit } else { self.objects & !bit };
        self.depth += 1;
        Ok(())
    }

    fn in_object(&self) -> bool {
        self.objects & (1 << (self.depth - 1)) != 0
    }

    fn closing(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}

/// Sets the top bit of each byte that is a quote, a backslash or a control character; of bits above the
/// lowest set one some may be false.
fn special(chunk: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_byte(chunk ^ (ONES * u64::from(b'"')));
    let backslash = zero_byte(chunk ^ (ONES * u64::from(b'\\')));
    let control = chunk.wrapping_sub(ONES * 0x20) & !chunk;
    (quote | backslash | control) & TOPS
}
