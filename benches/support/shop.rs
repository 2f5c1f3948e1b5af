//! The app that is measured: its topics, its rules, its configuration.

use std::path::Path;
use std::sync::Arc;

use vipstream::broker::Partition;
use vipstream::config::Config;
use vipstream::model::event::Kind;
use vipstream::rules::ruleset::Ruleset;

use crate::{kafka, topics};

/// Tasks, hence threads and producers, of everything measured.
pub const TASKS: u32 = 4;

/// One app with inputs of its own.
pub struct Shop {
    pub app: String,
    pub bootstrap: String,
    pub kinds: Vec<Kind>,
}

impl Shop {
    /// Makes the topics of these inputs, a partition a task.
    pub fn open(bootstrap: &str, name: &str, kinds: &[Kind]) -> Self {
        let shop = Self { app: kafka::unique(name), bootstrap: bootstrap.to_owned(), kinds: kinds.to_vec() };
        let partitions = i32::try_from(TASKS).expect("few tasks");
        let inputs = kinds.iter().map(|kind| shop.topic(kind.name()));
        for topic in inputs.chain([shop.topic("events"), shop.topic("alerts"), shop.topic("through")]) {
            topics::create(bootstrap, &topic, partitions);
        }
        shop
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.app)
    }

    /// The configuration, as if it were another app on the same inputs.
    pub fn config(&self, app: &str, more: &str) -> Config {
        let text = self.config_text(app, "", &format!("snapshots: off\n{more}"));
        Config::parse("vipstream.yaml", &text, Path::new("."), []).expect("a configuration in order")
    }

    /// The same as a file, with more properties of Kafka and more sections.
    pub fn config_text(&self, app: &str, kafka: &str, more: &str) -> String {
        let inputs: Vec<String> = self
            .kinds
            .iter()
            .map(|kind| format!("{0}: {{ topic: {1} }}", kind.name(), self.topic(kind.name())))
            .collect();
        let outputs = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"];
        let outputs = outputs.map(|name| format!("{name}: {}", self.topic(name))).join(", ");
        format!(
            "app: {app}\nkafka: {{ {kafka}bootstrap.servers: \"{}\" }}\ntasks: {TASKS}\nrules: rules.yaml\n\
             inputs: {{ {} }}\noutputs: {{ {outputs} }}\n{more}\n",
            self.bootstrap,
            inputs.join(", ")
        )
    }

    /// What a task reads.
    pub fn partitions(&self, task: u32) -> Vec<Partition> {
        self.kinds.iter().map(|kind| Partition::Input(*kind, task)).collect()
    }
}

/// The example rules without labels: the mixed workload has none.
pub fn rules() -> Arc<Ruleset> {
    Arc::new(Ruleset::parse("shop.yaml", &rules_text()).expect("the example rules are tested"))
}

/// The same as text.
pub fn rules_text() -> String {
    let (before, labels) = SHOP.split_once("\nlabels:").expect("the example rules have labels");
    let (_, after) = labels.split_once("\nalerts:").expect("alerts follow labels in the example rules");
    format!("{before}\nalerts:{after}")
}

const SHOP: &str = include_str!("../../deploy/examples/shop.yaml");
