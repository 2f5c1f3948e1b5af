//! `percentile(FEATURE, q)`: the value that a part of all customers do not exceed.
//!
//! Values are counted by their first three digits, so that counts of different tasks can be added and the answer is less than
//! 1 % below the exact one, whatever the order in which they were counted.

use compact_str::CompactString;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::value::Val;

/// A part of the customers with a feature's value above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentile {
    /// Place of the feature in the ruleset.
    pub feature: u8,
    /// Above 0 and below 1.
    pub part: Decimal,
    /// As in evidence.
    pub name: CompactString,
}

/// Most different features of which a ruleset reads percentiles.
pub const MAX_MEASURED: usize = 8;
/// Most different percentiles that a ruleset reads.
pub const MAX_PERCENTILES: usize = 32;

/// Values with the same first three digits, of the same magnitude: the greater, the greater they are.
pub type Bucket = i32;

/// The bucket of a value; none where it is not above zero.
pub fn bucket(value: Val<'_>) -> Option<Bucket> {
    let value = match value {
        Val::Int(value) => Decimal::from(value),
        Val::Decimal(value) => value,
        _ => return None,
    };
    let mantissa = value.mantissa();
    if mantissa <= 0 {
        return None;
    }
    let digits = i32::try_from(mantissa.ilog10()).unwrap_or_default() + 1;
    let leading = match digits - DIGITS {
        more @ 1.. => mantissa / 10_i128.pow(more.unsigned_abs()),
        less => mantissa * 10_i128.pow(less.unsigned_abs()),
    };
    let magnitude = digits - i32::try_from(value.scale()).unwrap_or_default();
    Some(magnitude * STEP + leading.to_i32().unwrap_or_default())
}

/// The least value of a bucket.
pub fn least(bucket: Bucket) -> Decimal {
    let (magnitude, leading) = (bucket.div_euclid(STEP), bucket.rem_euclid(STEP));
    let leading = Decimal::from(leading);
    match magnitude - DIGITS {
        more @ 0.. => (0..more).try_fold(leading, |value, _| value.checked_mul(Decimal::TEN)).unwrap_or(Decimal::MAX),
        less => (less..0).fold(leading, |value, _| value / Decimal::TEN),
    }
}

const DIGITS: i32 = 3;
const STEP: i32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_begins_with_the_same_three_digits() {
        for (value, expected) in [
            ("0.000000001", "0.000000001"),
            ("0.00123456", "0.00123"),
            ("1", "1"),
            ("9.999", "9.99"),
            ("10", "10"),
            ("12.5", "12.5"),
            ("4987.65", "4980"),
            ("100", "100"),
            ("999999999999", "999000000000"),
        ] {
            let value = Val::Decimal(value.parse().unwrap());
            assert_eq!(least(bucket(value).unwrap()).normalize(), expected.parse::<Decimal>().unwrap());
        }
        assert_eq!((bucket(Val::Int(0)), bucket(Val::Int(-5)), bucket(Val::Bool(true))), (None, None, None));
    }

    #[test]
    fn greater_values_have_greater_buckets() {
        let values = (1..20_000).map(|at| Decimal::new(at * at, 3));
        let buckets: Vec<Bucket> = values.map(|value| bucket(Val::Decimal(value)).unwrap()).collect();
        assert!(buckets.is_sorted());
        for at in 1..20_000_i64 {
            let exact = Decimal::new(at * at, 3);
            let least = least(bucket(Val::Decimal(exact)).unwrap());
            assert!(least <= exact && exact < least * Decimal::new(101, 2), "{exact}: {least}");
        }
    }
}
