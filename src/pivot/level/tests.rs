use serde_json::Value;

use super::*;
use crate::pivot::golden::{golden, number};

/// Nothing is ever past it.
const NEVER: Thresholds = Thresholds { deciding: Grade::Alert, decides: f64::INFINITY, announces: None };

fn shape(json: &Value) -> Shape {
    let of = |name: &str| number(&json[name]);
    Shape {
        mu0: of("mu0"),
        k0: of("k0"),
        a0: of("a0"),
        b0: of("b0"),
        shift: [of("up"), of("down")],
        is_relative: json["relative"].as_bool().unwrap(),
        least_after: of("seg_min"),
        cap: of("cap"),
    }
}

fn near(what: &str, step: usize, found: f64, wanted: &Value, tolerance: f64) {
    let wanted = number(wanted);
    assert!((found - wanted).abs() <= tolerance, "step {step}, {what}: {found} is not {wanted}");
}

#[test]
fn levels_step_as_the_vectors_do() {
    for name in ["level_spend_drop", "level_csat", "level_cadence", "level_cap"] {
        let vectors = &golden()[name];
        let shape = shape(&vectors["cfg"]);
        let mut level = Level::default();
        let mut found = Vec::new();
        for (at, step) in vectors["steps"].as_array().unwrap().iter().enumerate() {
            let all = level.baseline();
            let usual = shape.usual(&all);
            near("null_loc", at, shape.mu0 + usual.location, &step["null_loc"], 2e-4);
            near("null_scale2", at, usual.scale2, &step["null_scale2"], 2e-4);
            near("nu", at, usual.nu, &step["nu"], 2e-3);
            for (direction, side) in [(Direction::Up, "up"), (Direction::Down, "dn")] {
                let was = level.suspicion(direction).unwrap();
                let before = if was.e <= 0.0 { Before { n: all.n, s1: all.s1 } } else { was.before };
                let moved = shape.moved(&all, before, direction);
                near("alt_loc", at, shape.mu0 + moved.location, &step[format!("alt_{side}_loc")], 2e-4);
                near("alt_scale2", at, moved.scale2, &step[format!("alt_{side}_scale2")], 2e-4);
            }
            level.take(number(&step["y"]) - shape.mu0, u32::try_from(at).unwrap(), &shape, &NEVER, &mut found);
            near("n", at, level.baseline().n, &step["n"], 2e-3);
            near("s1", at, level.baseline().s1, &step["s1"], 2e-3);
            near("s2", at, level.baseline().s2, &step["s2"], 2e-3);
            for (direction, side) in [(Direction::Up, "up"), (Direction::Down, "dn")] {
                let was = level.suspicion(direction).unwrap();
                near("e", at, was.e, &step[format!("e_{side}")], 2e-3);
                near("nt", at, was.before.n, &step[format!("nt_{side}")], 4e-3);
                near("since", at, f64::from(was.since_s), &step[format!("since_{side}")], 0.0);
            }
        }
        assert!(found.is_empty(), "{name}");
    }
}

#[test]
fn a_level_takes_forty_bytes() {
    assert_eq!(size_of::<Level>(), 40);
}
