//! Exact decimals straight from their digits: never through binary floating point, never rounded.

use rust_decimal::Decimal;

/// Why digits are no [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecimalError {
    /// Not `-?digits(.digits)?(e±digits)?`.
    NotANumber,
    /// More than 28 decimals or 96 bits: it would have to be rounded.
    NotExact,
}

/// Reads a decimal as JSON writes numbers (leading zeros are allowed too). Trailing zeros are dropped.
///
/// # Errors
/// Other text, and numbers that a [`Decimal`] cannot hold exactly.
pub(super) fn parse(text: &str) -> Result<Decimal, DecimalError> {
    let bytes = text.as_bytes();
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let mut digits = Digits::default();
    let whole = digits.take(bytes)?;
    let mut rest = &bytes[whole..];
    let mut decimals = 0;
    if let [b'.', fraction @ ..] = rest {
        decimals = digits.take(fraction)?;
        rest = &fraction[decimals..];
    }
    let exponent = exponent(rest)?;
    // Lengths are bounded by the record's size, far below what i64 holds.
    let power = exponent - i64::try_from(decimals).unwrap_or(i64::MAX / 2) + digits.zeros;
    assemble(negative, digits.mantissa?, power)
}

/// Significant digits read so far. Zeros wait until a further digit shows that they count, so that
/// neither leading nor trailing ones use up precision.
struct Digits {
    mantissa: Result<u128, DecimalError>,
    zeros: i64,
}

impl Default for Digits {
    fn default() -> Self {
        Self { mantissa: Ok(0), zeros: 0 }
    }
}

impl Digits {
    /// Takes the digits at the start of `bytes` and says how many there are.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, DecimalError> {
        let mut taken = 0;
        for digit in bytes.iter().map_while(|byte| byte.is_ascii_digit().then(|| byte - b'0')) {
            taken += 1;
            self.push(digit);
        }
        if taken == 0 { Err(DecimalError::NotANumber) } else { Ok(taken) }
    }

    fn push(&mut self, digit: u8) {
        if digit == 0 {
            self.zeros += 1;
            return;
        }
        if let Ok(mantissa) = self.mantissa {
            let grown = if mantissa == 0 { Some(0) } else { shift(mantissa, self.zeros + 1) };
            self.mantissa = grown.map(|grown| grown + u128::from(digit)).ok_or(DecimalError::NotExact);
        }
        self.zeros = 0;
    }
}

/// `mantissa` times 10 to the `power`, where it stays below 2^96 (and thus has room for one digit more).
fn shift(mantissa: u128, power: i64) -> Option<u128> {
    let factor = match power {
        0 => 1,
        1 => 10,
        _ => 10u128.checked_pow(u32::try_from(power).ok()?)?,
    };
    mantissa.checked_mul(factor).filter(|product| *product < LIMIT)
}

fn exponent(bytes: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match bytes {
        [] => return Ok(0),
        [b'e' | b'E', b'-', digits @ ..] => (true, digits),
        [b'e' | b'E', b'+', digits @ ..] | [b'e' | b'E', digits @ ..] => (false, digits),
        _ => return Err(DecimalError::NotANumber),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::NotANumber);
    }
    // Saturating where no decimal reaches anyway.
    let size = digits.iter().fold(0, |sum: i64, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 40));
    Ok(if negative { -size } else { size })
}

fn assemble(negative: bool, mantissa: u128, power: i64) -> Result<Decimal, DecimalError> {
    if mantissa == 0 {
        return Ok(Decimal::ZERO);
    }
    let (mantissa, scale) = if power >= 0 {
        (shift(mantissa, power).ok_or(DecimalError::NotExact)?, 0)
    } else {
        (mantissa, u32::try_from(-power).map_err(|_| DecimalError::NotExact)?)
    };
    if mantissa >= LIMIT || scale > Decimal::MAX_SCALE {
        return Err(DecimalError::NotExact);
    }
    let signed = i128::try_from(mantissa).map_err(|_| DecimalError::NotExact)?;
    Decimal::try_from_i128_with_scale(if negative { -signed } else { signed }, scale)
        .map_err(|_| DecimalError::NotExact)
}

/// A [`Decimal`]'s mantissa has 96 bits.
const LIMIT: u128 = 1 << 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_number_is_read_exactly() {
        for (text, expected) in [
            ("0.1", "0.1"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("12.50", "12.5"),
            ("-0", "0"),
            ("-0.00e5", "0"),
            ("007", "7"),
            ("1000000000000000000000000000", "1000000000000000000000000000"),
            ("1234567890123456789012345678", "1234567890123456789012345678"),
            ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
            ("1.500000000000000000000000000000000000000000", "1.5"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
            ("0e99999999999999999999", "0"),
            ("123e-2", "1.23"),
        ] {
            assert_eq!(parse(text).map(|decimal| decimal.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_would_be_rounded_or_is_no_number_is_refused() {
        for text in [
            "79228162514264337593543950336",
            "1e29",
            "1e-29",
            "1e9999999999999999999",
            "0.12345678901234567890123456789012",
        ] {
            assert_eq!(parse(text), Err(DecimalError::NotExact), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e", "1e+", "1,5", " 1", "1 ", "+1", "0x1", "NaN", "1.2.3", "--1", "1e1.5"] {
            assert_eq!(parse(text), Err(DecimalError::NotANumber), "{text}");
        }
    }
}
