//! Vectors that the detectors have to meet; origin in `tests/golden/pivot/README.md`.

use serde_json::Value;

pub(super) fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/pivot/golden.json")).unwrap()
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}
