//! What a ruleset with mistakes is told.

use vipstream::rules::ruleset::Ruleset;
use vipstream::yaml;

const TWENTY: &str = include_str!("golden/twenty_mistakes.yaml");

#[test]
fn a_ruleset_with_twenty_mistakes_gets_twenty_messages_in_one_run() {
    let problems = Ruleset::parse("rules.yaml", TWENTY).expect_err("it is full of mistakes");
    insta::assert_snapshot!("twenty_mistakes", yaml::list(&problems));
    assert_eq!(problems.len(), 20, "each mistake once");
}

const OF_CUSTOMERS: &str =
    "`percentile` is over all customers, and may be read by labels, programmes for customers and alerts";
const MISUSED: &str = "`percentile` takes the name of a feature that is a number, and a part between 0 and 1";

/// A ruleset that is right but for one expression, and what is said of that.
fn told(grant: &str) -> String {
    let text = format!(
        "ruleset: acme\ncurrency: EUR\nfeatures:\n  spend: {{ sum: purchase.amount, over: 30d }}\n  orders: {{ count: purchase }}\nprogrammes:\n  p:\n    grant: {grant}\n"
    );
    match Ruleset::parse("r", &text) {
        Ok(_) => "ok".to_owned(),
        Err(problems) => problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn a_mistake_in_an_expression_is_named() {
    for (grant, expected) in [
        ("spend >= 1", "ok"),
        ("orders >= 1 && (spend > 1.5 || subscribed)", "ok"),
        ("days_since(first_purchase) > 365", "ok"),
        ("spend_90d >= 1", "unknown fact `spend_90d`"),
        ("spend", "is decimal, bool is expected"),
        ("spend >= 'a'", "`>=` compares decimal with text"),
        ("spend && subscribed", "`&&` on decimal, bool is expected"),
        ("vip", "`vip` is not known yet here"),
        ("held.p", "`held.p` is evaluated after this expression"),
        ("label.loyal", "unknown name `label.loyal`"),
        ("event.amount > 1", "`event.amount`: there is no event here"),
        ("percentile(spend, 0.8) > 1", "ok"),
        ("spend >= percentile(f.spend, 0.8)", "ok"),
        ("spend >= percentile(spend, 1.0)", MISUSED),
        ("spend >= percentile(spend, 80)", MISUSED),
        ("spend >= percentile(spend)", MISUSED),
        ("spend >= percentile(spend * 2, 0.5)", MISUSED),
        ("spend >= percentile(last_seen, 0.5)", MISUSED),
        ("spend >= percentile(income, 0.5)", "unknown fact `income`"),
        ("percentile(spend, 0.5)", "is decimal, bool is expected"),
        (
            "days_since(last_seen) > orders",
            "`days_since(TIME)` may only be compared with a whole number: `days_since(x) > 60`",
        ),
        ("spend % 2 == 0", "`%` is for whole numbers"),
        ("orders > 1u", "unsigned numbers (`1u`) are not in the subset"),
        ("account.tier == 'a'", "ok"),
        ("account.teir == 'a'", "`account.teir` is no field of an account"),
        ("attributes.seats >= 5 && attributes.plan == 'x'", "ok"),
        ("attributes.seats", "is text or number, bool is expected"),
        ("attributes.seats == true", "`==` compares text or number with bool"),
        ("spend >= 0.1234567890123456", "a number has more than 15 digits"),
    ] {
        assert_eq!(told(grant), expected, "{grant}");
    }
}

#[test]
fn a_rule_about_accounts_reads_nothing_of_customers() {
    let told = |grant: &str| {
        let text = format!(
            "ruleset: acme\ncurrency: EUR\nfeatures:\n  orders: {{ count: purchase }}\nlabels:\n  new: orders == 0\nprogrammes:\n  c: {{ grant: orders > 1 }}\n  a: {{ applies_to: account, grant: orders > 2 }}\n  p:\n    applies_to: account\n    grant: {grant}\n"
        );
        match Ruleset::parse("r", &text) {
            Ok(_) => "ok".to_owned(),
            Err(problems) => problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("; "),
        }
    };
    for (grant, expected) in [
        ("orders >= 1 && held.a && account.tier == 'A'", "ok"),
        ("days_since(first_purchase) > 30", "ok"),
        ("label.new", "`label.new`: labels are a customer's, and an account has none"),
        ("region == 'west'", "`region`: a profile is a customer's, and an account has none"),
        ("attributes.x == 1", "`attributes.x`: a profile is a customer's, and an account has none"),
        ("held.c", "`held.c`: an account never holds `c`"),
        ("orders >= percentile(orders, 0.5)", OF_CUSTOMERS),
    ] {
        assert_eq!(told(grant), expected, "{grant}");
    }
}

#[test]
fn another_customers_id_may_be_counted_and_compared_but_not_kept() {
    let told = |feature: &str| {
        let text = format!("ruleset: acme\ncurrency: EUR\nfeatures:\n  friends: {{ {feature} }}\n");
        Ruleset::parse("r", &text).map_or_else(|problems| yaml::list(&problems), |_| "ok".to_owned())
    };
    for allowed in [
        "distinct: referral.referred_customer_id",
        "count: referral, where: referred_customer_id == 'ann'",
        "last: referral.referral_id",
    ] {
        assert_eq!(told(allowed), "ok", "{allowed}");
    }
    for refused in ["last: referral.referred_customer_id", "first: \"referral.referred_customer_id == 'ann'\""] {
        assert!(told(refused).contains("would keep another customer's id"), "{refused}: {}", told(refused));
    }
}

#[test]
fn counting_erasures_is_refused() {
    for feature in ["count: erasure", "last: erasure.request_id"] {
        let text = format!("ruleset: acme\ncurrency: EUR\nfeatures:\n  friends: {{ {feature} }}\n");
        assert!(Ruleset::parse("r", &text).is_err(), "{feature}");
    }
}

#[test]
fn an_expression_of_more_nodes_than_allowed_is_refused() {
    let long = vec!["orders"; 200].join(" + ");
    assert!(told(&format!("{long} > 1")).contains("at most 256 are allowed"));
}

#[test]
fn an_expression_that_yaml_cuts_apart_is_explained() {
    let text = "ruleset: acme\ncurrency: EUR\nfeatures:\n  trips: { count: purchase, where: category in ['a', 'b'] }\n";
    let problems = Ruleset::parse("r", text).expect_err("the flow map is cut at the comma");
    let told = yaml::list(&problems);
    assert!(told.contains("put quotes around an expression"), "{told}");
    let text = "ruleset: acme\ncurrency: EUR\nlabels:\n  new: !subscribed\n";
    let told = yaml::list(&Ruleset::parse("r", text).expect_err("a tag"));
    assert!(told.contains("put quotes around an expression"), "{told}");
}

/// What is said of a ruleset to which something is added.
fn told_with(top: &str, programme: &str) -> String {
    let text = format!(
        "ruleset: acme\ncurrency: EUR\nhop: 5s\n{top}features: {{ spend: {{ sum: purchase.amount }} }}\nprogrammes:\n  p: {{ grant: spend >= 1{programme} }}\n"
    );
    match Ruleset::parse("r", &text) {
        Ok(_) => "ok".to_owned(),
        Err(problems) => problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn a_mistake_about_pivots_is_named() {
    let one = "alert: 1 per 100 customer-years";
    for (pivots, expected) in [
        ("{ alert: 1 per 100 customer-years }", "ok"),
        ("{ watch: 0.5 per customer-year }", "ok"),
        ("{ watch: 5 per 100 customer-years, alert: 1 per 100 customer-years, for: vip, kinds: [silence] }", "ok"),
        ("{ for: vip }", "no level has a budget"),
        ("{ alert: often }", "`often` is no budget of false alarms"),
        ("{ alert: 1 per 0 customer-years }", "`1 per 0 customer-years` is no budget of false alarms"),
        ("{ alert: 60 per customer-year }", "60 false alarms per customer-year, allowed: above 0 up to 52"),
        ("{ watch: 1 per 100 customer-years, alert: 1 per customer-year }", "watch has to allow more than alert"),
        ("{ ONE, kinds: [silent] }", "`silent` is no kind of pivot"),
        ("{ ONE, kinds: [recovered] }", "`recovered` is no kind of pivot"),
        ("{ ONE, kinds: [] }", "names no kind"),
        ("{ ONE, for: spend }", "is decimal, bool is expected"),
        ("{ ONE, for: \"spend > percentile(spend, 0.5)\" }", "`percentile` is over all customers"),
        ("{ ONE, priors: ours.json }", "the priors `ours.json` are not there"),
    ] {
        let pivots = pivots.replace("ONE", one);
        let told = told_with(&format!("pivots: {pivots}\n"), "");
        assert!(told.contains(expected), "{pivots}: {told}");
    }
    for (label, expected) in [
        ("pivot.silence", "ok"),
        ("pivot.silent", "`pivot.silent` is no kind of pivot"),
        ("pivot.refunds_rose", "`pivot.refunds_rose` has no end"),
    ] {
        let told = told_with(&format!("pivots: {{ {one} }}\nlabels: {{ l: {label} }}\n"), "");
        assert!(told.contains(expected), "{label}: {told}");
    }
    let few = format!("pivots: {{ {one}, kinds: [silence] }}\n");
    for (rest, expected) in [
        ("labels: { l: pivot.silence }\n", "ok"),
        ("labels: { l: pivot.spend_dropped }\n", "`pivot.spend_dropped` is never told, so nobody ever is it"),
        ("alerts: { a: { on: pivot, when: \"true\" } }\n", "ok"),
        ("alerts: { a: { on: pivot, when: \"true\", kinds: [silence, spend_rose] } }\n", "`spend_rose` is never told"),
        ("alerts: { a: { on: pivot, when: \"true\", kinds: [] } }\n", "names no kind"),
        ("alerts: { a: { on: pivot, when: \"true\", level: watch } }\n", "ok"),
        ("alerts: { a: { on: pivot, when: \"true\", kind: escalation } }\n", "is no kind of alert on a pivot"),
        ("alerts: { a: { on: pivot, when: \"true\", once_per: visit } }\n", "only alerts on presence know visits"),
    ] {
        let told = told_with(&format!("{few}{rest}"), "");
        assert!(told.contains(expected), "{rest}: {told}");
    }
    let watch = "pivots: { watch: 1 per customer-year }\n";
    let told = told_with(&format!("{watch}alerts: {{ a: {{ on: pivot, when: \"true\", level: alert }} }}\n"), "");
    assert!(told.contains("nothing is told at this level"), "{told}");
    let told = told_with("alerts: { a: { on: pivot, when: \"true\" } }\n", "");
    assert!(told.contains("nobody looks for pivots"), "{told}");
    let told = told_with("labels: { l: pivot.silence }\n", "");
    assert!(told.contains("`pivot.silence`: the ruleset asks for no pivots"), "{told}");
    let told = told_with(&format!("pivots: {{ {one} }}\n"), ", keep: pivot.silence, applies_to: account");
    assert!(told.contains("`pivot.silence`"), "{told}");
}

#[test]
fn a_mistake_about_budgets_is_named() {
    let places = "says not how many places there are, or says it twice";
    for (budget, expected) in [
        ("{ max: 5, rank: spend, margin: 10%, per: region }", "ok"),
        ("{ max: 0, rank: earliest(first_purchase) }", "ok"),
        ("{ share: 5.5%, rank: spend }", "ok"),
        ("{ capacity: { team: care, per_agent: 2 }, rank: spend - 1, per: attributes.plan }", "ok"),
        ("{ max: 5 }", "`rank` is missing"),
        ("{ rank: spend }", places),
        ("{ max: 5, share: 10%, rank: spend }", places),
        ("{ max: -1, rank: spend }", "`-1` is no whole number from 0 to 1000000000"),
        ("{ share: lots, rank: spend }", "`lots` is no percentage"),
        ("{ max: 5, rank: region }", "is text, int or decimal is expected"),
        ("{ max: 5, rank: earliest(spend) }", "is decimal, time is expected"),
        ("{ max: 5, rank: earliest(last_seen), margin: 5% }", "no instant is a tenth more than another"),
        (
            "{ share: 5%, rank: spend, per: region }",
            "a share is one of all active customers, and cannot be had in parts",
        ),
        ("{ max: 5, rank: spend, per: spend }", "is decimal, text is expected"),
        ("{ capacity: { team: care }, rank: spend }", "says not how many an agent can carry"),
    ] {
        assert_eq!(told_with("", &format!(", budget: {budget}")), expected, "{budget}");
    }
}

#[test]
fn a_mistake_about_settlements_and_what_is_bounded_over_all_is_named() {
    let nobody = "no programme for customers has a budget of its own, so nobody could give way";
    let precedence = "over all, precedence decides, and then the rank within a programme";
    let own = ", budget: { max: 5, rank: spend }";
    for (top, programme, expected) in [
        ("settle: 10s", own, "ok"),
        ("settle: 9s", own, "9s is less than two hops of 5s: what is decided could not be in force in time"),
        ("budget: { max: 5 }", own, "ok"),
        ("budget: { max: 5 }", "", nobody),
        ("budget: { max: 5 }", ", applies_to: account, budget: { max: 5, rank: spend }", nobody),
        ("budget: { max: 5, rank: spend, per: region }", own, &format!("{precedence}; {precedence}")),
        ("overrides: { max_share: 5% }", "", "ok"),
        ("overrides: {}", "", "`max_share` is missing"),
        ("overrides: { max_share: 5 }", "", "`5` is no percentage"),
    ] {
        assert_eq!(told_with(&format!("{top}\n"), programme), expected, "{top} {programme}");
    }
}

#[test]
fn a_mistake_about_exceptions_is_named() {
    let told = |section: &str| {
        let text = format!("ruleset: acme\ncurrency: EUR\nexceptions: {section}\n");
        match Ruleset::parse("r", &text) {
            Ok(_) => "ok".to_owned(),
            Err(problems) => problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("; "),
        }
    };
    for (section, expected) in [
        ("{ candidate: { cases: 30, customers: 20, over: 30d } }", "ok"),
        ("{ cohort: region, candidate: { cases: 1, customers: 1, over: month } }", "ok"),
        ("{}", "`candidate` is missing"),
        ("{ candidate: { cases: 30, customers: 20 } }", "`over` is missing"),
        ("{ candidate: { cases: 2, customers: 3, over: 30d } }", "2 cases cannot be of 3 customers"),
        ("{ candidate: { cases: 0, customers: 3, over: 30d } }", "\"0\" is no number from 1 to 4096"),
        ("{ candidate: { customers: 3, over: 30d } }", "`cases` is missing"),
        ("{ candidate: { cases: 3, customers: 3, over: 30x } }", "`30x` is no window"),
        ("{ cohort: vip, candidate: { cases: 3, customers: 3, over: 1d } }", "is bool, text is expected"),
        ("{ cohort: case_id, candidate: { cases: 3, customers: 3, over: 1d } }", "unknown fact `case_id`"),
    ] {
        assert_eq!(told(section), expected, "{section}");
    }
}
