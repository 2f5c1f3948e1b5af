//! Exact decimals and currencies. Never binary floating point for money.

use compact_str::CompactString;
pub use rust_decimal::Decimal;

/// An ISO 4217 code, checked when decoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Currency(pub CompactString);
