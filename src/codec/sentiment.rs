//! How positive a text is, where the sender did not say: VADER's compound score.
//!
//! The only binary floating point in decoding. It is additions, products and one square root in a fixed
//! order, each exact to the last bit on every machine, and rounded to four decimals before anybody sees it.

use std::sync::LazyLock;

use rust_decimal::Decimal;
use vader_parity::SentimentIntensityAnalyzer;

/// Longest text scored, in bytes; of a longer one its beginning is. A score's cost must not grow with a
/// record of 1 MiB, and the beginning of ten thousand bytes says how it is meant.
pub const MAX_SCORED_BYTES: usize = 10_000;

/// Parsing the lexicon costs milliseconds. It is constant data, so all threads share one.
static ANALYZER: LazyLock<SentimentIntensityAnalyzer> = LazyLock::new(SentimentIntensityAnalyzer::new);

/// The compound score, -1 to 1, rounded to 4 decimals.
pub(super) fn score(text: &str) -> Decimal {
    let text = &text[..text.floor_char_boundary(MAX_SCORED_BYTES)];
    let compound = ANALYZER.polarity_scores(text).compound.clamp(-1.0, 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "within -10,000 to 10,000")]
    let ten_thousandths = (compound * 10_000.0).round() as i64;
    Decimal::new(ten_thousandths, 4).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_score_as_the_reference_does() {
        for (text, expected) in
            [("VADER is smart, handsome, and funny.", "0.8316"), ("Today SUX!", "-0.5461"), ("is?", "0")]
        {
            assert_eq!(score(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_scored_by_its_beginning_at_a_character_boundary() {
        let mut text = "é".repeat(MAX_SCORED_BYTES / 2 - 4);
        text.push_str(" great é wonderful");
        assert_eq!(score(&text).to_string(), score(" great").to_string());
    }
}
