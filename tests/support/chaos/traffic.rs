//! What happens while trouble lasts: events of now, late, doubled, broken, too early, and on the wrong partition.

use rdkafka::producer::BaseProducer;
use vipstream::model::event::Kind;

use crate::support::topics;

/// The inputs, with as many partitions as they have.
pub(crate) const INPUTS: [(Kind, i32); 5] =
    [(Kind::Purchase, 5), (Kind::Csat, 3), (Kind::Mention, 7), (Kind::Erasure, 2), (Kind::Customer, 3)];

/// Surveys are written with another partitioner than Kafka's Java client has.
const ASTRAY: (Kind, i32) = INPUTS[1];

/// Rules whose windows end while the test runs.
pub(crate) const RULES: &str = "
currency: EUR
timezone: UTC
lateness: 2s
skip_grace: [refund]
features:
  spend_2m: { sum: purchase.amount, over: 2m }
  orders_1m: { count: purchase, over: 1m }
  bad_2m: { count: csat, where: 'satisfaction <= 0.4', over: 2m }
  posts_1m: { count: mention, over: 1m }
programmes:
  big_spender:
    profile: value
    grant: spend_2m >= 300
    keep: spend_2m >= 150
    tiers: { gold: spend_2m >= 600, silver: 'true' }
    tenure: 5s
    grace: 3s
  grievance: { profile: grievance, grant: bad_2m >= 2, keep: bad_2m >= 1 }
labels:
  busy: orders_1m >= 3
  loud: posts_1m >= 2
alerts:
  public_complaint: { on: mention, when: 'public && sentiment <= -0.4', severity: \"vip ? 'high' : 'normal'\", due: 15m }
";

/// Makes events from a seed.
pub(crate) struct Traffic {
    seed: u64,
    customers: u64,
    count: u64,
}

impl Traffic {
    pub(crate) fn new(seed: u64, customers: u64) -> Self {
        Self { seed, customers, count: 0 }
    }

    /// A number below `bound`. `SplitMix64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Sends one record of now.
    pub(crate) fn send(&mut self, producer: &BaseProducer, app: &str) {
        self.count += 1;
        let number = self.below(self.customers);
        let erases = self.below(200) == 0;
        let input = [0, 0, 0, 4, 1, 1, 2, 2][usize::try_from(self.below(8)).unwrap_or_default()];
        let (kind, partitions) = INPUTS[if erases { 3 } else { input }];
        // Three in four stay, whatever happens.
        let customer = format!("c{}", if erases { number / 4 * 4 } else { number });
        let value = self.value(kind, &customer);
        let partition = ((kind, partitions) == ASTRAY).then(|| {
            let sum: i32 = customer.bytes().map(i32::from).sum();
            sum % partitions
        });
        let topic = format!("{app}.{}", kind.name());
        topics::send(producer, &topic, partition, Some(customer.as_bytes()), Some(value.as_bytes()));
    }

    fn value(&mut self, kind: Kind, customer: &str) -> String {
        if self.below(200) == 0 {
            return r#"{"half": "#.to_owned();
        }
        let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_millis();
        // Mostly of now, some late, a few so late that deadlines have passed over them, and some so far ahead that they
        // are refused, be it now and no longer a moment later.
        let at = match self.below(100) {
            0 => now + 295_000 + u128::from(self.below(10_000)),
            1..5 => now - u128::from(self.below(20_000)),
            5..10 => now + u128::from(self.below(1_500)),
            _ => now - u128::from(self.below(300)),
        };
        let number = self.count;
        // Some authors are known by their handle only.
        let known = kind != Kind::Mention || self.below(4) > 0;
        let id = if known { format!(r#""customer_id":"{customer}","#) } else { String::new() };
        let common = format!(r#""event_id":"e{number}",{id}"occurred_at":{at}"#);
        let own = match kind {
            Kind::Purchase => self.purchase(),
            Kind::Erasure => format!(r#""request_id":"q{}""#, number / 2),
            Kind::Customer => self.profile(customer),
            Kind::Csat => format!(r#""interaction_id":"i{number}","score":{},"scale_max":5"#, 1 + self.below(5)),
            _ => {
                let score = i64::try_from(self.below(200)).unwrap_or_default() - 100;
                let score =
                    format!("{}{}.{:02}", if score < 0 { "-" } else { "" }, score.abs() / 100, score.abs() % 100);
                format!(
                    r#""platform":"x","handle":"h-{customer}","public":true,"text":"post {number}","sentiment":{score}"#
                )
            }
        };
        format!("{{{common},{own}}}")
    }

    /// Most customers name their own handle, some another's as well or none.
    fn profile(&mut self, customer: &str) -> String {
        let named = |name: &str| format!(r#"{{"platform":"x","handle":"h-{name}"}}"#);
        let own = (self.below(10) > 1).then(|| named(customer));
        let number = self.below(self.customers);
        let other = (self.below(10) == 0).then(|| named(&format!("c{number}")));
        let handles: Vec<String> = own.into_iter().chain(other).collect();
        format!(r#""version":{},"handles":[{}]"#, self.count, handles.join(","))
    }

    /// Orders, some of them sent twice, some refunded or cancelled.
    fn purchase(&mut self) -> String {
        let doubled = self.below(20) == 0;
        let order = if doubled { self.count - self.below(50).min(self.count) } else { self.count };
        let status = ["completed", "completed", "completed", "completed", "completed", "refunded", "cancelled"]
            [usize::try_from(self.below(7)).unwrap_or_default()];
        let amount = 1 + self.below(150);
        format!(r#""order_id":"o{order}","amount":"{amount}.50","currency":"EUR","status":"{status}""#)
    }
}
