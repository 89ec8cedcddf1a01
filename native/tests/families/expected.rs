//! What is to be fused in each graph: `expected.json`.

use std::collections::BTreeMap;

use multivec::{Engine, Fused, GraphForm};
use serde_json::Value;

use crate::fixtures::{self, Family};

type Counts = BTreeMap<String, usize>;

pub(crate) struct Expected {
    /// By family, or by exporter and file.
    counts: BTreeMap<String, Counts>,
    /// Files in which something is left as it is, with the reason.
    pending: BTreeMap<String, String>,
    /// Files that an engine does not load, with the reason, by engine.
    refused: BTreeMap<String, BTreeMap<String, String>>,
}

impl Expected {
    pub(crate) fn read() -> Self {
        let mut file: Value =
            serde_json::from_slice(&fixtures::read("expected.json")).expect("JSON");
        let mut take = |key: &str| file[key].take();
        Self {
            counts: serde_json::from_value(take("counts")).expect("counts"),
            pending: serde_json::from_value(take("pending")).expect("reasons"),
            refused: serde_json::from_value(take("refused")).expect("reasons"),
        }
    }

    /// Whether an engine is known not to load the file.
    pub(crate) fn is_refused(&self, family: &Family, engine: Engine) -> bool {
        let refused = self.refused.get(match engine {
            Engine::Tract => "tract",
            _ => "onnxruntime",
        });
        refused.is_some_and(|files| files.contains_key(&family.name))
    }

    /// What differs from the expectation.
    pub(crate) fn wrong(&self, family: &Family, graph: &GraphForm) -> Option<String> {
        let found = match graph {
            GraphForm::Fused(fused) => named(fused),
            GraphForm::Original => Counts::new(),
            refused => return Some(format!("{refused}")),
        };
        let counts = self.counts.get(&family.name);
        let Some(expected) = counts.or_else(|| self.counts.get(family.family())) else {
            return Some(format!("expected counts, found none for {found:?}"));
        };
        let count = |name: &String| found.get(name).copied().unwrap_or(0);
        let same = expected
            .iter()
            .all(|(name, &expected)| count(name) == expected);
        match (same, self.pending.get(&family.name)) {
            (false, None) => {
                let found: Counts = expected
                    .keys()
                    .map(|name| (name.clone(), count(name)))
                    .collect();
                Some(format!("expected {expected:?}, found {found:?}"))
            }
            (true, Some(reason)) => Some(format!("fused, but listed as not: {reason}")),
            _ => None,
        }
    }
}

fn named(fused: &Fused) -> Counts {
    let names = Fused::NAMES.iter().map(|(name, _)| (*name).to_owned());
    names.zip(fused.counts()).collect()
}
