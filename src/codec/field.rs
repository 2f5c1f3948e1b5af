//! One field of a record, read as what the contract says it is; a fault names it and what is allowed.
//!
//! Absent and `null` are the same. Ids are texts of 1 to 256 bytes without control characters: an empty optional id is
//! absent, an empty required one missing.

use compact_str::CompactString;
use jiff::civil::Date;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::decimal::{self, DecimalError};
use super::fault::{Fault, shown};
use super::json::{self, Value};
use super::{currency, time};
use crate::model::event::PeriodEnd;
use crate::model::id::{MAX_ID_BYTES, is_fit};
use crate::model::money::Currency;
use crate::model::names::Named;
use crate::model::record::Code;
use crate::model::time::EventTime;

/// A field by name, and what stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) value: Value<'a>,
}

impl<'a> Field<'a> {
    /// Whether nothing stands there, or null.
    pub(super) fn is_absent(self) -> bool {
        matches!(self.value, Value::Missing | Value::Null)
    }

    /// This field, or where it is absent and `other` is not, that one.
    pub(super) fn or(self, other: Self) -> Self {
        if self.is_absent() && !other.is_absent() { other } else { self }
    }

    /// An id that must be there.
    pub(super) fn id(self) -> Result<CompactString, Fault> {
        match self.id_opt()? {
            Some(id) => Ok(id),
            None if matches!(self.value, Value::Text(_)) => {
                Err(Fault::new(Code::MissingField, format!("field `{}` is empty", self.name)))
            }
            None => Err(self.missing()),
        }
    }

    /// An id that may be absent or empty.
    pub(super) fn id_opt(self) -> Result<Option<CompactString>, Fault> {
        let id = self.text_opt()?;
        match id {
            Some(id) if id.len() > MAX_ID_BYTES => Err(Fault::new(
                Code::IdTooLong,
                format!("field `{}` is {} bytes long; at most {MAX_ID_BYTES} are allowed", self.name, id.len()),
            )),
            Some(id) if !is_fit(&id) => Err(self.unfit()),
            id => Ok(id.filter(|id| !id.is_empty())),
        }
    }

    /// A short text that may be absent.
    #[inline]
    pub(super) fn text_opt(self) -> Result<Option<CompactString>, Fault> {
        match self.value {
            Value::Text(text) => Ok(Some(CompactString::new(text))),
            _ => Ok(self.str_opt()?.map(CompactString::from)),
        }
    }

    /// A sentence or a few that may be absent; an empty one is.
    pub(super) fn sentence_opt(self) -> Result<Option<CompactString>, Fault> {
        let Some(text) = self.str_opt()?.filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.len() > MAX_SENTENCE_BYTES {
            let allowed = format!("at most {MAX_SENTENCE_BYTES} are allowed");
            let message = format!("field `{}` is {} bytes long; {allowed}", self.name, text.len());
            return Err(Fault::new(Code::OutOfRange, message));
        }
        Ok(Some(CompactString::from(text)))
    }

    /// A sentence or a few that must be there.
    pub(super) fn sentence(self) -> Result<CompactString, Fault> {
        match self.sentence_opt()? {
            Some(text) => Ok(text),
            None if self.is_absent() => Err(self.missing()),
            None => Err(Fault::new(Code::MissingField, format!("field `{}` is empty", self.name))),
        }
    }

    /// A long text that may be absent.
    pub(super) fn long_text_opt(self) -> Result<Option<String>, Fault> {
        Ok(self.str_opt()?.map(Cow::into_owned))
    }

    fn str_opt(self) -> Result<Option<Cow<'a, str>>, Fault> {
        match self.value {
            Value::Missing | Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(Cow::Borrowed(text))),
            Value::Escaped(quoted) => Ok(Some(Cow::Owned(json::unescape(quoted)?))),
            _ => Err(self.wrong("a string")),
        }
    }

    /// A boolean that may be absent.
    pub(super) fn flag_opt(self) -> Result<Option<bool>, Fault> {
        match self.value {
            Value::Missing | Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(flag)),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// A boolean that must be there.
    pub(super) fn flag(self) -> Result<bool, Fault> {
        self.flag_opt()?.ok_or_else(|| self.missing())
    }

    /// A whole number within `allowed` that may be absent.
    pub(super) fn int_opt(self, allowed: RangeInclusive<i64>) -> Result<Option<i64>, Fault> {
        let text = match self.value {
            Value::Missing | Value::Null => return Ok(None),
            Value::Number(text) => text,
            _ => return Err(self.wrong("a whole number")),
        };
        let number = match text.parse::<i64>() {
            Ok(number) => Some(number),
            // `3.0` and `1e3` are whole numbers too.
            Err(_) => whole(text).map_err(|_| self.wrong("a whole number"))?,
        };
        match number.filter(|number| allowed.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.outside(&allowed.start().to_string(), &allowed.end().to_string())),
        }
    }

    /// A whole number within `allowed` that must be there.
    pub(super) fn int(self, allowed: RangeInclusive<i64>) -> Result<i64, Fault> {
        self.int_opt(allowed)?.ok_or_else(|| self.missing())
    }

    /// A decimal number or a string that holds one, exact and below 10^12 in size; may be absent.
    pub(super) fn decimal_opt(self) -> Result<Option<Decimal>, Fault> {
        let number = match self.digits()? {
            None => return Ok(None),
            Some(text) => decimal::parse(text),
        };
        match number {
            Err(DecimalError::NotANumber) => Err(self.wrong("a decimal number")),
            Ok(number) if number.abs() < Decimal::from(MAX_AMOUNT) => Ok(Some(number)),
            Ok(_) | Err(DecimalError::NotExact) => Err(Fault::new(
                Code::OutOfRange,
                format!(
                    "field `{}` is {}; it must be below 10^12 in size with at most 28 digits",
                    self.name,
                    self.found()
                ),
            )),
        }
    }

    /// A decimal number that must be there.
    pub(super) fn decimal(self) -> Result<Decimal, Fault> {
        self.decimal_opt()?.ok_or_else(|| self.missing())
    }

    /// An amount of money, zero or more and below 10^12, that may be absent.
    pub(super) fn amount_opt(self) -> Result<Option<Decimal>, Fault> {
        let number = match self.digits()? {
            None => return Ok(None),
            Some(text) => decimal::parse(text),
        };
        let allowed = match number {
            Ok(amount) if amount.is_sign_negative() => "an amount is zero or more",
            Ok(amount) if amount >= Decimal::from(MAX_AMOUNT) => "an amount is below 10^12",
            Ok(amount) => return Ok(Some(amount)),
            Err(DecimalError::NotANumber) => "an amount is a decimal number, such as 12.50 or \"12.50\"",
            Err(DecimalError::NotExact) => "an amount has at most 28 digits",
        };
        Err(Fault::new(Code::BadAmount, format!("field `{}` is {}; {allowed}", self.name, self.found())))
    }

    /// An amount of money that must be there.
    pub(super) fn amount(self) -> Result<Decimal, Fault> {
        self.amount_opt()?.ok_or_else(|| self.missing())
    }

    /// A rate of exchange, above 0 and at most 10^12, that must be there.
    pub(super) fn rate(self) -> Result<Decimal, Fault> {
        match decimal::parse(self.digits()?.ok_or_else(|| self.missing())?) {
            Err(DecimalError::NotANumber) => Err(self.wrong("a decimal number")),
            Ok(rate) if rate > Decimal::ZERO && rate <= Decimal::from(MAX_AMOUNT) => Ok(rate),
            Ok(_) | Err(DecimalError::NotExact) => Err(Fault::new(
                Code::OutOfRange,
                format!(
                    "field `{}` is {}; it must be above 0 and at most 10^12 with at most 28 digits",
                    self.name,
                    self.found()
                ),
            )),
        }
    }

    /// The digits of a number or of a string that should hold one.
    fn digits(self) -> Result<Option<&'a str>, Fault> {
        match self.value {
            Value::Missing | Value::Null => Ok(None),
            Value::Number(text) | Value::Text(text) => Ok(Some(text)),
            _ => Err(self.wrong("a decimal number or a string that holds one")),
        }
    }

    /// An ISO 4217 code that may be absent.
    pub(super) fn currency_opt(self) -> Result<Option<Currency>, Fault> {
        match self.str_opt()? {
            None => Ok(None),
            Some(code) if currency::is_known(&code) => Ok(Some(Currency(CompactString::new(code)))),
            Some(_) => Err(Fault::new(
                Code::UnknownCurrency,
                format!(
                    "field `{}` is {}; it must be an ISO 4217 code, three capital letters such as EUR",
                    self.name,
                    self.found()
                ),
            )),
        }
    }

    /// An ISO 4217 code that must be there.
    pub(super) fn currency(self) -> Result<Currency, Fault> {
        self.currency_opt()?.ok_or_else(|| self.missing())
    }

    /// A time that may be absent: RFC 3339 with offset, or whole milliseconds since 1970.
    pub(super) fn time_opt(self) -> Result<Option<EventTime>, Fault> {
        let time = match self.value {
            Value::Missing | Value::Null => return Ok(None),
            Value::Text(text) => time::parse(text),
            Value::Number(digits) => digits.parse().map_err(|_| time::TimeError::Malformed).and_then(time::checked),
            Value::Escaped(_) => Err(time::TimeError::Malformed),
            _ => return Err(self.wrong("an RFC 3339 time or milliseconds since 1970")),
        };
        time.map(Some).map_err(|error| self.bad_time(error))
    }

    /// A time that must be there.
    pub(super) fn time(self) -> Result<EventTime, Fault> {
        self.time_opt()?.ok_or_else(|| self.missing())
    }

    /// An instant or a bare date; may be absent.
    pub(super) fn period_end_opt(self) -> Result<Option<PeriodEnd>, Fault> {
        if let Value::Text(text) = self.value
            && let Some(date) = time::parse_date(text)
        {
            return Ok(Some(PeriodEnd::Date(date)));
        }
        let instant = self.time_opt().map_err(|fault| {
            fault.reworded(Code::BadTime, || {
                let allowed = "a date such as 2026-12-31, or a time with offset, from 1970 to 2500";
                format!("field `{}` is {}; it must be {allowed}", self.name, self.found())
            })
        });
        Ok(instant?.map(PeriodEnd::Instant))
    }

    /// A bare date that may be absent.
    pub(super) fn date_opt(self) -> Result<Option<Date>, Fault> {
        let Some(text) = self.str_opt()? else { return Ok(None) };
        time::parse_date(&text).map(Some).ok_or_else(|| {
            let allowed = "a date such as 2026-12-31, from 1970 to 2500";
            Fault::new(Code::BadTime, format!("field `{}` is {}; it must be {allowed}", self.name, self.found()))
        })
    }

    /// A bare date that must be there.
    pub(super) fn date(self) -> Result<Date, Fault> {
        self.date_opt()?.ok_or_else(|| self.missing())
    }

    /// A value of a closed list that must be there and be known.
    pub(super) fn choice<E: Named>(self) -> Result<E, Fault> {
        let word = self.str_opt()?.ok_or_else(|| self.missing())?;
        E::from_name(&word).ok_or_else(|| {
            let allowed: Vec<&str> = E::ALL.iter().map(|value| value.name()).collect();
            Fault::new(
                Code::UnknownValue,
                format!("field `{}` is {}; it must be one of {}", self.name, self.found(), allowed.join(", ")),
            )
        })
    }

    /// A value of a closed list that may be absent; one unknown to this build is absent too, and counted.
    pub(super) fn choice_opt<E: Named>(self, unknown: &mut u8) -> Result<Option<E>, Fault> {
        let Some(word) = self.str_opt()? else { return Ok(None) };
        Ok(counted(E::from_name(&word), unknown))
    }

    /// As [`Field::choice_opt`], for a list whose values stay words.
    pub(super) fn word_opt(self, allowed: &[&str], unknown: &mut u8) -> Result<Option<CompactString>, Fault> {
        let Some(word) = self.str_opt()? else { return Ok(None) };
        let known = allowed.contains(&&*word);
        Ok(counted(known.then(|| CompactString::from(word)), unknown))
    }

    /// The text of an object that may be absent.
    pub(super) fn object_opt(self) -> Result<Option<&'a str>, Fault> {
        match self.value {
            Value::Missing | Value::Null => Ok(None),
            Value::Object(text) => Ok(Some(text)),
            _ => Err(self.wrong("an object")),
        }
    }

    /// The text of an object that must be there.
    pub(super) fn object(self) -> Result<&'a str, Fault> {
        self.object_opt()?.ok_or_else(|| self.missing())
    }

    /// The text of an array that may be absent.
    pub(super) fn array_opt(self) -> Result<Option<&'a str>, Fault> {
        match self.value {
            Value::Missing | Value::Null => Ok(None),
            Value::Array(text) => Ok(Some(text)),
            _ => Err(self.wrong("an array")),
        }
    }

    /// The field holds a good value outside `low` to `high`.
    #[cold]
    pub(super) fn outside(self, low: &str, high: &str) -> Fault {
        Fault::new(
            Code::OutOfRange,
            format!("field `{}` is {}; it must be from {low} to {high}", self.name, self.found()),
        )
    }

    #[cold]
    fn unfit(self) -> Fault {
        let remedy = "an id holds no control characters: take them out where the record is written";
        Fault::new(Code::BadId, format!("field `{}` is {}; {remedy}", self.name, self.found()))
    }

    #[cold]
    fn missing(self) -> Fault {
        Fault::new(Code::MissingField, format!("field `{}` is missing", self.name))
    }

    #[cold]
    fn wrong(self, expected: &str) -> Fault {
        Fault::new(Code::WrongType, format!("field `{}` is {}; it must be {expected}", self.name, self.found()))
    }

    #[cold]
    fn bad_time(self, error: time::TimeError) -> Fault {
        let allowed = match error {
            time::TimeError::NoOffset => "a time needs an offset, such as Z or +02:00",
            time::TimeError::OutOfRange => "a time lies from 1970-01-01 to 2500-01-01, numbers being milliseconds",
            time::TimeError::Malformed => {
                "it must be an RFC 3339 time with offset, such as 2026-11-21T22:55:00Z, or whole milliseconds since 1970"
            }
        };
        Fault::new(Code::BadTime, format!("field `{}` is {}; {allowed}", self.name, self.found()))
    }

    fn found(self) -> String {
        match self.value {
            Value::Missing => "missing".to_owned(),
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(text) | Value::Escaped(text) => shown(text),
            Value::Text(text) => format!("\"{}\"", shown(text)),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        }
    }
}

/// The whole number that digits in another form stand for; `None` where it is beyond 64 bits.
fn whole(text: &str) -> Result<Option<i64>, DecimalError> {
    match decimal::parse(text) {
        Ok(number) if number.is_integer() => Ok(i64::try_from(number).ok()),
        Err(DecimalError::NotExact) if !text.contains(['.', 'e', 'E']) => Ok(None),
        Ok(_) => Err(DecimalError::NotExact),
        Err(error) => Err(error),
    }
}

/// Counts a word that was not found in its list.
fn counted<T>(found: Option<T>, unknown: &mut u8) -> Option<T> {
    if found.is_none() {
        *unknown = unknown.saturating_add(1);
    }
    found
}

/// Longest reason that a person may give.
const MAX_SENTENCE_BYTES: usize = 1_024;
/// Amounts and scores reach up to here.
const MAX_AMOUNT: i64 = 1_000_000_000_000;
