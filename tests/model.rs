//! What the rules mean, case by case: each script is played by the reference model.

mod support {
    pub mod judge;
    pub mod model;
    pub mod script;
}

use support::script::run;

#[test]
fn spend_that_leaves_the_window_revokes_once() {
    let rules = "
        features:
          spend_90d: { sum: purchase.amount, over: 90d }
        programmes:
          high_spend: { profile: value, grant: spend_90d >= 500 }";
    let script = "
        d0   ann  purchase o1 300.00 EUR
        d1   ann  purchase o2 200.00 EUR
        d91  ann  csat i1 5
        d92  ann  csat i2 5";
    insta::assert_snapshot!(run(rules, script), @r"
    d1 ann vip.granted high_spend
    d90 ann vip.revoked high_spend rule_false
    ");
}
