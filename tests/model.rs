//! What the rules mean: each script, generated stream and real history is played by the reference model and
//! by the engine, and every line must be equal.

mod support {
    pub mod difference;
    pub mod generate;
    pub mod history;
    pub mod judge;
    #[expect(dead_code, reason = "the simulation needs the rest")]
    pub mod model;
    pub mod router;
    pub mod script;
}

mod scripts {
    mod accounts;
    mod advocates;
    mod budgets;
    mod currencies;
    mod erasure;
    mod evidence;
    mod exceptions;
    mod identity;
    mod objects;
    mod overrides;
    mod percentiles;
    mod pivots;
    mod presence;
    mod programmes;
    mod purchases;
    mod regressions;
    mod routing;
    mod status;
    mod windows;
}

mod properties {
    mod budgets;
    mod convergence;
    mod damage;
    mod equality;
    mod history;
    mod laws;
    mod live;
    mod router;
    mod seeds;
    mod shifts;
    mod split;
    mod tasks;
    mod windows;
}
