//! Chance from a seed: a generator whose numbers no library's next version can change.

/// `SplitMix64`: one multiplication-free step and a mix; passes the usual batteries, and two lines of state.
///
/// # Source
/// G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 17.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator whose numbers depend on `seed` alone.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for thing number `index` under `seed`: the same whenever it is asked for.
    pub(crate) const fn of(seed: u64, index: u64) -> Self {
        Self(mix(seed ^ mix(index.wrapping_add(GOLDEN))))
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// An integer in `0..below`; 0 where `below` is 0.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(below);
        u64::try_from(wide >> 64).expect("the upper half of a 128-bit product has 64 bits")
    }

    /// An integer in `from..=to`.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        from.saturating_add_unsigned(self.below(to.abs_diff(from) + 1))
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let mantissa = (self.bits() >> 11) as f64;
        mantissa / 9_007_199_254_740_992.0
    }

    /// True in `share` of the cases.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// One of a list.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[usize::try_from(self.below(list.len() as u64)).expect("an index of a list in memory")]
    }

    /// A standard normal number, near enough: four uniforms added, which bounds it at 3.5.
    pub(crate) fn normal(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }
}

/// Ranks `0..n` where rank k comes up in proportion to 1 / (k + 1)^exponent.
///
/// # Source
/// W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
/// distributions", ACM TOMACS 6(3), 1996, section 4: constant time and no table, whatever n.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    exponent: f64,
    n: f64,
    low: f64,
    high: f64,
    sure: f64,
}

impl Zipf {
    /// Over `n` ranks, at least one; exponent 0 is uniform.
    pub(crate) fn new(n: u32, exponent: f64) -> Self {
        let n = f64::from(n.max(1));
        let mut zipf = Self { exponent, n, low: 0.0, high: 0.0, sure: 0.0 };
        zipf.low = zipf.area(1.5) - 1.0;
        zipf.high = zipf.area(n + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.area(2.5) - 2.0_f64.powf(-exponent));
        zipf
    }

    /// Draws a rank.
    pub(crate) fn rank(&self, random: &mut Random) -> u32 {
        loop {
            let u = self.high + random.unit() * (self.low - self.high);
            let x = self.inverse(u);
            let k = (x + 0.5).floor().clamp(1.0, self.n);
            if k - x <= self.sure || u >= self.area(k + 0.5) - k.powf(-self.exponent) {
                return whole(k) - 1;
            }
        }
    }

    /// The integral of x^-exponent.
    fn area(&self, x: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        if rest.abs() < 1e-9 { x.ln() } else { (x.powf(rest) - 1.0) / rest }
    }

    fn inverse(&self, area: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        if rest.abs() < 1e-9 { area.exp() } else { (1.0 + area * rest).max(0.0).powf(1.0 / rest) }
    }
}

/// A non-negative number without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub(crate) fn whole(x: f64) -> u32 {
    x as u32
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_algorithm() {
        let mut random = Random::new(1_234_567);
        let seen: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(seen, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_first_ranks_come_up_as_often_as_zipf_says() {
        let (n, draws) = (1_000_u32, 200_000_u32);
        let zipf = Zipf::new(n, 0.8);
        let mut random = Random::new(7);
        let mut seen = vec![0_u32; n as usize];
        for _ in 0..draws {
            seen[zipf.rank(&mut random) as usize] += 1;
        }
        let total: f64 = (1..=n).map(|k| f64::from(k).powf(-0.8)).sum();
        for k in [1_u32, 2, 3, 10, 100] {
            let expected = f64::from(draws) * f64::from(k).powf(-0.8) / total;
            let found = f64::from(seen[k as usize - 1]);
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "rank {k}: {found} of {expected}");
        }
    }

    #[test]
    fn an_exponent_of_zero_is_uniform_and_every_rank_is_in_range() {
        let zipf = Zipf::new(4, 0.0);
        let mut random = Random::new(1);
        let mut seen = [0_u32; 4];
        for _ in 0..40_000 {
            seen[zipf.rank(&mut random) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut random = Random::new(3);
        let draws: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 100_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 100_000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
