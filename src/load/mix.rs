//! How the kinds of input share the traffic.

use std::str::FromStr;

use crate::model::event::Kind;

/// Parts of each kind; only their proportions count.
///
/// Refunds count as purchases, revisions as surveys, and so on: a part is of records, not of stories.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix([f64; Kind::ALL.len()]);

/// Why a mix cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MixError {
    #[error("`{0}` is not KIND=PARTS, such as purchase=60")]
    Shape(String),
    #[error("unknown kind `{0}`; known: purchase, csat, mention, referral, presence, case, engagement")]
    Kind(String),
    #[error("profiles are no part of the mix: say --profiles SHARE instead")]
    Profile,
    #[error("parts of {0} must be a number from 0 to 1000000, not `{1}`")]
    Parts(String, String),
    #[error("all parts are 0")]
    Empty,
}

impl Default for Mix {
    /// The mixed workload: 60 % purchases, 15 % presence, 10 % surveys, 10 % posts, 5 % referrals.
    fn default() -> Self {
        let mut mix = Self::none();
        mix.set(Kind::Purchase, 60.0);
        mix.set(Kind::Presence, 15.0);
        mix.set(Kind::Csat, 10.0);
        mix.set(Kind::Mention, 10.0);
        mix.set(Kind::Referral, 5.0);
        mix
    }
}

impl Mix {
    /// Parts of one kind.
    pub const fn parts(&self, kind: Kind) -> f64 {
        self.0[kind as usize]
    }

    const fn none() -> Self {
        Self([0.0; Kind::ALL.len()])
    }

    const fn set(&mut self, kind: Kind, parts: f64) {
        self.0[kind as usize] = parts;
    }

    /// The kind at `share` (0 to 1) of the parts, each divided by how many records a story of the kind has.
    pub(crate) fn kind_at(&self, share: f64, records: impl Fn(Kind) -> f64) -> Kind {
        let weight = |kind| self.parts(kind) / records(kind);
        let mut left = share * Kind::ALL.into_iter().map(weight).sum::<f64>();
        let mut last = Kind::Purchase;
        for kind in Kind::ALL.into_iter().filter(|kind| self.parts(*kind) > 0.0) {
            left -= weight(kind);
            last = kind;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

impl FromStr for Mix {
    type Err = MixError;

    /// Reads `purchase=60,presence=15`; kinds left out have no part.
    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut mix = Self::none();
        for entry in text.split(',') {
            let (name, parts) = entry.split_once('=').ok_or_else(|| MixError::Shape(entry.to_owned()))?;
            let kind = Kind::from_name(name.trim());
            if kind == Some(Kind::Customer) {
                return Err(MixError::Profile);
            }
            let kind = kind.filter(|kind| kind.is_activity()).ok_or_else(|| MixError::Kind(name.to_owned()))?;
            let number = parts.trim().parse().ok().filter(|parts| (0.0..=1e6).contains(parts));
            mix.set(kind, number.ok_or_else(|| MixError::Parts(name.to_owned(), parts.to_owned()))?);
        }
        if mix.0.iter().all(|parts| *parts == 0.0) { Err(MixError::Empty) } else { Ok(mix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_and_each_mistake_has_its_sentence() {
        let mix: Mix = "purchase=3, csat=1".parse().unwrap();
        assert!((mix.parts(Kind::Purchase) - 3.0).abs() < 1e-9 && mix.parts(Kind::Mention) == 0.0);
        assert_eq!("purchase".parse::<Mix>(), Err(MixError::Shape("purchase".to_owned())));
        assert_eq!("orders=1".parse::<Mix>(), Err(MixError::Kind("orders".to_owned())));
        assert_eq!("erasure=1".parse::<Mix>(), Err(MixError::Kind("erasure".to_owned())));
        assert_eq!("agent=1".parse::<Mix>(), Err(MixError::Kind("agent".to_owned())));
        assert_eq!("customer=1".parse::<Mix>(), Err(MixError::Profile));
        assert_eq!("csat=-1".parse::<Mix>(), Err(MixError::Parts("csat".to_owned(), "-1".to_owned())));
        assert_eq!("csat=NaN".parse::<Mix>(), Err(MixError::Parts("csat".to_owned(), "NaN".to_owned())));
        assert_eq!("csat=0".parse::<Mix>(), Err(MixError::Empty));
    }
}
