//! JSON, read the plain way: numbers stay text, so that an amount is exactly what was written.
//!
//! A reader of its own rather than a library's, because the model shares no step with what it judges.

/// The deepest nesting of lists and objects that is read.
const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why text is no JSON that can be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    Invalid,
    TooDeep,
}

/// Reads exactly one value with nothing but white space around it.
pub(super) fn read(text: &str) -> Result<Json, Fault> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.space();
    if reader.rest.is_empty() { Ok(value) } else { Err(Fault::Invalid) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), Fault> {
        if self.eat(token) { Ok(()) } else { Err(Fault::Invalid) }
    }

    fn value(&mut self, depth: usize) -> Result<Json, Fault> {
        self.space();
        match self.rest.chars().next() {
            Some('{' | '[') if depth == MAX_DEPTH => Err(Fault::TooDeep),
            Some('{') => self.object(depth + 1),
            Some('[') => self.list(depth + 1),
            Some('"') => self.text().map(Json::Text),
            Some('-' | '0'..='9') => self.number(),
            _ if self.eat("true") => Ok(Json::Bool(true)),
            _ if self.eat("false") => Ok(Json::Bool(false)),
            _ if self.eat("null") => Ok(Json::Null),
            _ => Err(Fault::Invalid),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Fault> {
        self.expect("{")?;
        let mut fields = Vec::new();
        if self.eat("}") {
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.expect(":")?;
            fields.push((name, self.value(depth)?));
            if self.eat("}") {
                return Ok(Json::Object(fields));
            }
            self.expect(",")?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, Fault> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.eat("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat("]") {
                return Ok(Json::List(items));
            }
            self.expect(",")?;
        }
    }

    fn number(&mut self) -> Result<Json, Fault> {
        let end = self.rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if is_number(number) { Ok(Json::Number(number.to_owned())) } else { Err(Fault::Invalid) }
    }

    fn text(&mut self) -> Result<String, Fault> {
        let mut text = String::new();
        self.rest = self.rest.strip_prefix('"').ok_or(Fault::Invalid)?;
        loop {
            let c = self.char()?;
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return Err(Fault::Invalid),
                c => text.push(c),
            }
        }
    }

    fn char(&mut self) -> Result<char, Fault> {
        let c = self.rest.chars().next().ok_or(Fault::Invalid)?;
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }

    fn escape(&mut self) -> Result<char, Fault> {
        Ok(match self.char()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                if !(0xd800..0xdc00).contains(&unit) {
                    return char::from_u32(unit).ok_or(Fault::Invalid);
                }
                self.rest = self.rest.strip_prefix("\\u").ok_or(Fault::Invalid)?;
                let low = self.unit()?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(Fault::Invalid);
                }
                char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).ok_or(Fault::Invalid)?
            }
            _ => return Err(Fault::Invalid),
        })
    }

    fn unit(&mut self) -> Result<u32, Fault> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or(Fault::Invalid)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).map_err(|_| Fault::Invalid)
    }
}

/// The grammar of a JSON number: no leading zeros, no bare point.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
