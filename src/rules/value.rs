//! What an expression computes with.

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::model::event::Attribute;
use crate::model::output::Scalar;
use crate::model::time::EventTime;

/// The static type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int,
    Decimal,
    Text,
    Time,
    /// Of a free attribute: a text or a number, as it was sent.
    Attribute,
}

impl Type {
    /// The word in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Time => "time",
            Self::Attribute => "text or number",
        }
    }

    /// Whether it can be reckoned with.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Decimal)
    }

    /// Whether a value of it may stand where another type is expected. What an attribute is shows when it is read.
    pub fn serves_as(self, expected: Self) -> bool {
        self == expected || self == Self::Attribute && (expected == Self::Text || expected.is_number())
    }

    /// Whether values of both can be compared for equality.
    pub fn compares_with(self, other: Self) -> bool {
        self.serves_as(other) || other.serves_as(self) || (self.is_number() && other.is_number())
    }
}

/// A value while an expression is evaluated. Texts are borrowed: evaluating allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Val<'a> {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(&'a str),
    Time(EventTime),
    /// An error is a value: `||` and `&&` absorb it where the other side decides.
    Error(Fault),
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A fact without a value was read.
    Missing,
    /// The result does not fit 64 bits, or 28 decimal digits.
    Overflow,
    DivideByZero,
    /// Operands that the type check should have refused.
    Type,
}

impl<'a> Val<'a> {
    /// The value, or that it is missing.
    pub fn or_missing(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Error(Fault::Missing))
    }

    /// A text, or that it is missing.
    pub fn text(value: Option<&'a CompactString>) -> Self {
        value.map_or(Self::Error(Fault::Missing), |text| Val::Text(text))
    }

    /// The number as a decimal.
    pub fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Int(value) => Some(Decimal::from(value)),
            Self::Decimal(value) => Some(value),
            _ => None,
        }
    }

    /// A copy for evidence; `None` for an error.
    pub fn scalar(self) -> Option<Scalar> {
        Some(match self {
            Self::Bool(value) => Scalar::Bool(value),
            Self::Int(value) => Scalar::Int(value),
            Self::Decimal(value) => Scalar::Decimal(value),
            Self::Text(value) => Scalar::Text(value.into()),
            Self::Time(value) => Scalar::Time(value),
            Self::Error(_) => return None,
        })
    }
}

impl<'a> From<&'a Attribute> for Val<'a> {
    fn from(value: &'a Attribute) -> Self {
        match value {
            Attribute::Text(text) => Self::Text(text),
            Attribute::Number(number) => Self::Decimal(*number),
        }
    }
}

impl<'a> From<&'a Scalar> for Val<'a> {
    fn from(value: &'a Scalar) -> Self {
        match value {
            Scalar::Bool(value) => Self::Bool(*value),
            Scalar::Int(value) => Self::Int(*value),
            Scalar::Decimal(value) => Self::Decimal(*value),
            Scalar::Text(value) => Self::Text(value),
            Scalar::Time(value) => Self::Time(*value),
        }
    }
}
