//! What clusters under trouble are sent, simulated and real: events of a shop whose customers merge and part, belong to
//! accounts, refer each other, pay in other currencies, and have cases that agents solve; late, early, broken, sent
//! twice. And rules for it whose windows end while a run lasts.

use vipstream::model::event::Kind;
use vipstream::model::id::CustomerId;
use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;

use crate::support::dice::Dice;

/// A ruleset; `ties` adds what entities do to each other: accounts, advocates, and who resolved whose cases.
pub(crate) fn rules(name: &str, lateness: &str, ties: bool) -> String {
    let of_ties = |text: &'static str| if ties { text } else { "" };
    format!(
        "ruleset: {name}\ncurrency: EUR\ntimezone: UTC\nlateness: {lateness}\nskip_grace: [refund]\n\
         features:\n{FEATURES}{}programmes:\n{}{PROGRAMMES}labels:\n{LABELS}{}\
         alerts:\n{ALERTS}{PIVOTS}{}weights: {{ gold: 3, silver: 2, none: 1 }}\n",
        of_ties(FEATURES_OF_TIES),
        of_ties(PROGRAMMES_OF_TIES),
        of_ties(LABELS_OF_TIES),
        of_ties(SETTLED),
    )
}

const FEATURES: &str = "
  spend_2m: { sum: purchase.amount, over: 2m }
  orders_1m: { count: purchase, over: 1m }
  bad_2m: { count: csat, where: 'satisfaction <= 0.4', over: 2m }
  posts_1m: { count: mention, over: 1m }
";

const FEATURES_OF_TIES: &str = "
  solved_2m: { count: case, where: \"state in ['solved', 'closed']\", over: 2m }
  friends_2m: { count: referral, where: \"status == 'converted'\", over: 2m }
  net_2m: { sum: referred_purchase.amount, over: 2m }
  buyers_1m: { distinct: referred_purchase.customer_id, over: 1m }
";

/// What is decided about many at once.
const SETTLED: &str = "
settle: 2s
budget: { max: 12 }
overrides: { max_share: 10% }
exceptions:
  cohort: \"vip ? 'vip' : 'other'\"
  candidate: { cases: 3, customers: 2, over: 1m }
";

const PROGRAMMES: &str = "
  big_spender:
    profile: value
    grant: spend_2m >= 300
    keep: spend_2m >= 150
    tiers: { gold: spend_2m >= 600, silver: 'true' }
    tenure: 3s
    grace: 2s
  grievance: { profile: grievance, grant: bad_2m >= 2, keep: bad_2m >= 1 }
";

const PROGRAMMES_OF_TIES: &str = "
  key_account:
    profile: target
    applies_to: account
    grant: spend_2m >= 500
    keep: spend_2m >= 250
    tiers: { gold: spend_2m >= 1000, silver: 'true' }
    grace: 2s
    routing: { team: sales, agent: account_manager }
    greeting: 'Welcome, {name}'
  target_account:
    profile: target
    applies_to: account
    grant: \"account.tier == 'A' && account.icp_fit >= 0.7\"
    tenure: 4s
  advocate:
    profile: advocate
    grant: net_2m >= 100 || friends_2m >= 2
    keep: net_2m >= 60 || friends_2m >= 1
    tiers: { gold: net_2m >= 300 && buyers_1m >= 2, silver: 'true' }
    grace: 2s
    routing: { team: community, agent: best }
  served: { profile: value, grant: solved_2m >= 1, routing: { team: care, agent: last_resolved } }
  regular: { profile: value, grant: orders_1m >= 1, grace: 1s, routing: { team: care, agent: familiar } }
  few: { profile: value, grant: orders_1m >= 1, budget: { max: 3, rank: spend_2m, margin: 10% }, tenure: 2s, grace: 1s }
  first_of_a_role: { profile: entitlement, grant: orders_1m >= 1, budget: { max: 1, per: role, rank: earliest(first_purchase) } }
  wide: { profile: value, grant: orders_1m >= 2, budget: { share: 40%, rank: orders_1m } }
  looked_after: { profile: value, grant: spend_2m >= 50, budget: { capacity: { per_agent: 1 }, rank: spend_2m } }
";

const LABELS: &str = "
  busy: orders_1m >= 3
  loud: posts_1m >= 2
  turned: pivot.spend_dropped || pivot.satisfaction_dropped || pivot.sentiment_turned
  silent: pivot.silence
";

const LABELS_OF_TIES: &str = "
  partner: role == 'partner'
  of_a_target: has(account.tier) && account.tier == 'A'
";

const ALERTS: &str = "
  public_complaint: { on: mention, when: 'public && sentiment <= -0.4', severity: \"vip ? 'high' : 'normal'\", due: 15m }
";

/// So much is borne that a few orders or answers are enough.
const PIVOTS: &str = "
pivots:
  watch: 52 per customer-year
  alert: 5 per customer-year
  for: '!label.loud'
  population: { pivots: hold, over: 1h, times: 0, least: 5 }
";

/// One record: its key, and its value; `None` says that whoever has the key is to be forgotten.
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// Makes events.
pub(crate) struct Shop {
    customers: usize,
    accounts: usize,
    /// How many events there were.
    count: usize,
    /// The last orders.
    orders: Vec<Order>,
    /// Whose rules judge what is made here: its name is part of every alert's id.
    app: String,
    /// The last posts of customers, and the ids of the alerts that they may have raised.
    posts: Vec<(String, String)>,
}

#[derive(Clone)]
struct Order {
    number: usize,
    customer: String,
    currency: &'static str,
}

impl Shop {
    pub(crate) fn new(customers: usize, app: &str) -> Self {
        // Few enough for many contacts each, enough that no account is everybody's.
        let (app, accounts) = (app.to_owned(), (customers / 100).max(3));
        Self { customers, accounts, count: 0, orders: Vec::new(), app, posts: Vec::new() }
    }

    /// One of the inputs, often those of which there is much.
    pub(crate) fn input<T: Copy>(dice: &mut Dice, inputs: &[(Kind, T)]) -> (Kind, T) {
        let all = inputs.iter().map(|(kind, _)| weight(*kind)).sum();
        let mut rest = dice.below(all);
        let chosen = inputs.iter().find(|(kind, _)| {
            let is_it = rest < weight(*kind);
            rest = rest.saturating_sub(weight(*kind));
            is_it
        });
        *chosen.expect("the rest is below the sum")
    }

    /// An event of about that time.
    pub(crate) fn event(&mut self, dice: &mut Dice, kind: Kind, now: EventTime) -> Sent {
        self.count += 1;
        let (known, order) = (self.customer(dice), self.order(dice));
        let key = match kind {
            Kind::FxRate => "rates".to_owned(),
            Kind::Account => self.account(dice),
            Kind::Agent => agent(dice).to_owned(),
            Kind::Purchase => order.customer.clone(),
            Kind::Override if dice.chance(15) => self.account(dice),
            Kind::Acknowledgement if !self.posts.is_empty() && dice.chance(90) => dice.pick(&self.posts).0.clone(),
            // Three in four stay, whatever happens.
            Kind::Erasure if dice.chance(25) => format!("c{}", dice.below(self.customers) / 4 * 4),
            Kind::Erasure => format!("x{}", dice.below(100)),
            _ => known,
        };
        let may_be_null = matches!(kind, Kind::Customer | Kind::Account | Kind::Agent);
        let value = if may_be_null && dice.chance(3) { None } else { Some(self.value(dice, kind, &key, &order, now)) };
        Sent { key, value }
    }

    fn customer(&self, dice: &mut Dice) -> String {
        format!("c{}", dice.below(self.customers))
    }

    fn account(&self, dice: &mut Dice) -> String {
        format!("k{}", dice.below(self.accounts))
    }

    /// A new order, or one of the last again.
    fn order(&mut self, dice: &mut Dice) -> Order {
        if dice.chance(15) && !self.orders.is_empty() {
            return dice.pick(&self.orders).clone();
        }
        let currency = ["EUR", "EUR", "EUR", "EUR", "USD", "USD", "GBP"];
        let customer = self.customer(dice);
        let &currency = dice.pick(&currency);
        let order = Order { number: self.count, customer, currency };
        if self.orders.len() == LAST_ORDERS {
            self.orders.remove(0);
        }
        self.orders.push(order.clone());
        order
    }

    fn value(&mut self, dice: &mut Dice, kind: Kind, key: &str, order: &Order, now: EventTime) -> String {
        if dice.chance(1) {
            return r#"{"half": "#.to_owned();
        }
        let number = self.count;
        let at = time(dice, now);
        let of_account = kind == Kind::Override && key.starts_with('k');
        let is_known = kind.has_customer() && !of_account && (kind != Kind::Mention || dice.chance(60));
        let id = if is_known { format!(r#""customer_id":"{key}","#) } else { String::new() };
        let own = match kind {
            Kind::FxRate => rate(dice, now),
            Kind::Account => self.account_record(dice, key),
            Kind::Agent => self.agent_record(dice, key),
            Kind::Purchase => self.purchase(dice, order),
            Kind::Customer => self.profile(dice, key),
            Kind::Csat => survey(dice, key, number),
            Kind::Referral => self.referral(dice),
            Kind::Case => self.case(dice, key, at),
            Kind::Erasure => format!(r#""request_id":"q{}""#, number / 2),
            Kind::Override => by_hand(dice, key, number, at),
            Kind::Acknowledgement => self.acknowledgement(dice, key, at),
            Kind::Mention if is_known => {
                self.note_post(key, number, at);
                mention(dice, key, number)
            }
            _ => mention(dice, key, number),
        };
        format!(r#"{{"event_id":"e{number}",{id}"occurred_at":{at},{own}}}"#)
    }

    /// Somebody answers one of the customer's posts, or nobody's.
    fn acknowledgement(&self, dice: &mut Dice, customer: &str, at: i64) -> String {
        let mut own = self.posts.iter().rev().filter(|(other, _)| other == customer);
        let alert = own.next().map_or("none", |(_, alert)| alert.as_str());
        let action = dice.pick(&["resolved", "resolved", "resolved", "dismissed"]);
        let (programme, end) = (dice.pick(&PROGRAMMES_BY_HAND), at + dice.number(100, 20_000));
        let make_vip = format!(r#","make_vip":{{"programme":"{programme}","expires_at":{end}}}"#);
        format!(r#""alert_id":"{alert}","action":"{action}","by":"mia"{make_vip}"#)
    }

    fn note_post(&mut self, customer: &str, number: usize, at: i64) {
        let author = CustomerId::author("x", &format!("h-{customer}"));
        let key = format!("x|e{number}|create");
        let parts = [&*self.app, "agent.alert", author.text(), "public_complaint", "", "mention", &key];
        if self.posts.len() == LAST_POSTS {
            self.posts.remove(0);
        }
        self.posts.push((customer.to_owned(), OutputId::of(&parts, EventTime(at)).to_string()));
    }

    /// Mostly the newest.
    fn version(&self, dice: &mut Dice) -> usize {
        if dice.chance(10) { self.count.saturating_sub(dice.below(40)) } else { self.count }
    }

    fn purchase(&self, dice: &mut Dice, order: &Order) -> String {
        let Order { number, currency, .. } = order;
        let is_new = *number == self.count;
        let status = if is_new && dice.chance(85) {
            "completed"
        } else {
            *dice.pick(&["completed", "refunded", "refunded", "cancelled"])
        };
        let (mut amount, mut refund) = (1 + dice.below(if status == "refunded" { 40 } else { 150 }), String::new());
        if status == "refunded" {
            // A refund says one amount however often it is told: of two, that would hold which somebody heard first.
            let which = dice.below(2);
            amount = 1 + (7 * *number + 13 * which) % 40;
            refund = format!(r#","refund_id":"r{which}""#);
        }
        let account =
            if dice.chance(10) { format!(r#","account_id":"{}""#, self.account(dice)) } else { String::new() };
        format!(
            r#""order_id":"o{number}","amount":"{amount}.50","currency":"{currency}","status":"{status}"{refund}{account}"#
        )
    }

    /// Names the customer's own handle, another's, both or none; now and then whom the customer is merged into.
    fn profile(&self, dice: &mut Dice, customer: &str) -> String {
        let named = |name: &str| format!(r#"{{"platform":"x","handle":"h-{name}"}}"#);
        let own = dice.chance(70).then(|| named(customer));
        let other = dice.chance(15).then(|| named(&self.customer(dice)));
        let handles: Vec<String> = own.into_iter().chain(other).collect();
        let mut text =
            format!(r#""version":{},"name":"N {customer}","handles":[{}]"#, self.version(dice), handles.join(","));
        let number: usize = customer[1..].parse().unwrap_or_default();
        // Two in five belong to an account, mostly to the same one.
        if number % 5 < 2 && dice.chance(90) {
            let own = format!("k{}", number % self.accounts);
            let account = if dice.chance(85) { own } else { self.account(dice) };
            text.push_str(&format!(r#","account_id":"{account}""#));
        }
        if dice.chance(15) {
            text.push_str(&format!(r#","merged_into":"{}""#, self.customer(dice)));
        }
        if dice.chance(30) {
            text.push_str(r#","role":"partner","account_manager":"a1""#);
        }
        text
    }

    fn account_record(&self, dice: &mut Dice, account: &str) -> String {
        let (version, tier) = (self.version(dice), dice.pick(&["A", "A", "B"]));
        let (fit, manager) = (dice.pick(&["0.5", "0.75"]), agent(dice));
        format!(
            r#""account_id":"{account}","version":{version},"name":"Acme","tier":"{tier}","icp_fit":{fit},"account_manager":"{manager}""#
        )
    }

    fn agent_record(&self, dice: &mut Dice, agent: &str) -> String {
        let version = self.version(dice);
        let (state, team) = (dice.pick(&["online", "online", "away"]), dice.pick(&["care", "sales", "community"]));
        let open = dice.below(4);
        format!(
            r#""agent_id":"{agent}","version":{version},"state":"{state}","team":"{team}","capacity":3,"open_cases":{open}"#
        )
    }

    fn referral(&self, dice: &mut Dice) -> String {
        let status = dice.pick(&["converted", "converted", "converted", "signed_up", "signed_up", "reversed"]);
        let referred = self.customer(dice);
        let id = if dice.chance(20) { format!(r#","referral_id":"f{}""#, dice.below(20)) } else { String::new() };
        format!(r#""referred_customer_id":"{referred}","status":"{status}"{id}"#)
    }

    /// One of the customer's few cases, opened a while ago.
    fn case(&self, dice: &mut Dice, customer: &str, at: i64) -> String {
        let state = dice.pick(&["opened", "updated", "solved", "solved", "solved", "closed", "reopened"]);
        let (id, version, agent) = (case_id(dice, customer), self.version(dice), agent(dice));
        let opened = at - dice.number(0, 60_000);
        // What is off the process changes with time: each kind comes, is frequent for a while, and goes.
        let id = if dice.chance(50) { id } else { format!("{customer}-at{}", at / 20_000) };
        let kind = format!(r#","exception":{{"kind":"w{}","approved_by":"{agent}"}}"#, at / 10_000 % 60);
        let exception = if dice.chance(60) { kind } else { String::new() };
        format!(
            r#""case_id":"{id}","version":{version},"state":"{state}","agent_id":"{agent}","opened_at":{opened},"sla_breached":{}{exception}"#,
            dice.chance(20)
        )
    }
}

/// How many are of a kind to a thousand of what customers do, where every kind is read.
const fn weight(kind: Kind) -> usize {
    match kind {
        Kind::Purchase => 350,
        Kind::Customer | Kind::Mention => 130,
        Kind::Csat | Kind::Case => 100,
        Kind::Referral => 90,
        Kind::Override => 50,
        Kind::Acknowledgement => 40,
        Kind::Account => 30,
        Kind::Agent | Kind::FxRate | Kind::Erasure => 20,
        _ => 0,
    }
}

/// Mostly of now, some late, a few so late that deadlines have passed over them, some ahead, a few so far ahead that
/// they are refused, be it now and no longer a moment later.
fn time(dice: &mut Dice, now: EventTime) -> i64 {
    now.0
        + match dice.below(100) {
            0 => 298_000 + dice.number(0, 4_000),
            1..7 => -dice.number(0, 20_000),
            7..13 => dice.number(0, 1_500),
            _ => -dice.number(0, 300),
        }
}

/// Of one of the last days: it holds for the orders of now until one of a later day comes, or another of the same.
fn rate(dice: &mut Dice, now: EventTime) -> String {
    let day = EventTime(now.0 - dice.number(0, 7) * 86_400_000).to_string();
    let base = dice.pick(&["USD", "USD", "USD", "GBP"]);
    let (from, to) = if dice.chance(80) { (*base, "EUR") } else { ("EUR", *base) };
    let rate = dice.number(7_000, 13_000);
    format!(
        r#""base":"{from}","quote":"{to}","rate":"{}.{:04}","valid_on":"{}""#,
        rate / 10_000,
        rate % 10_000,
        &day[..10]
    )
}

/// What a person decides about a customer or an account: for seconds, since a run lasts no longer.
fn by_hand(dice: &mut Dice, key: &str, number: usize, at: i64) -> String {
    let action = dice.pick(&["grant", "grant", "grant", "deny", "lift"]);
    let (programme, end) = (dice.pick(&PROGRAMMES_BY_HAND), at + dice.number(100, 20_000));
    let account = if key.starts_with('k') { format!(r#""account_id":"{key}","#) } else { String::new() };
    let tier = dice.pick(&["", "", r#","tier":"silver""#, r#","tier":"brass""#]);
    format!(
        r#"{account}"override_id":"v{number}","action":"{action}","programme":"{programme}","by":"mia","reason":"goodwill","expires_at":{end}{tier}"#
    )
}

fn agent(dice: &mut Dice) -> &'static str {
    let &agent = dice.pick(&["a0", "a1", "a2", "a3"]);
    agent
}

fn case_id(dice: &mut Dice, customer: &str) -> String {
    format!("{customer}-{}", dice.below(3))
}

/// Some are about a case, some about who is to be asked.
fn survey(dice: &mut Dice, customer: &str, number: usize) -> String {
    let mut text = format!(r#""interaction_id":"i{number}","score":{},"scale_max":5"#, 1 + dice.below(5));
    if dice.chance(40) {
        text.push_str(&format!(r#","case_id":"{}""#, case_id(dice, customer)));
    }
    if dice.chance(40) {
        text.push_str(&format!(r#","agent_id":"{}""#, agent(dice)));
    }
    text
}

fn mention(dice: &mut Dice, customer: &str, number: usize) -> String {
    let score = dice.below(10);
    format!(r#""platform":"x","handle":"h-{customer}","public":true,"text":"post {number}","sentiment":-0.{score}"#)
}

/// Some of which not every ruleset has, and one that none has.
const PROGRAMMES_BY_HAND: [&str; 6] = ["big_spender", "big_spender", "grievance", "regular", "key_account", "nobody"];
/// How many posts may be answered.
const LAST_POSTS: usize = 30;
/// How many orders may be sent again, refunded or cancelled.
const LAST_ORDERS: usize = 30;
