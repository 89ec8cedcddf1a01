//! Heads of small models of each family. Their logits are compared in
//! `native/tests`.

use super::{Head, WeightIndex, build, unused, weights};
use crate::fuse;
use crate::index::ValueIndex;
use crate::testing::fixture_bytes;
use crate::trace::Trace;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/heads";
const MODELS: [&str; 30] = [
    "bert-labels",
    "bert-masked",
    "camembert-masked",
    "distilbert-labels",
    "distilbert-masked",
    "electra-labels",
    "electra-masked",
    "ernie-labels",
    "ernie-masked",
    "eurobert-labels",
    "eurobert-labels-bos",
    "eurobert-labels-mean",
    "eurobert-masked",
    "jina-reranker-labels",
    "jina-v3-labels",
    "jina-v3-masked",
    "llama-labels",
    "modernbert-labels",
    "modernbert-labels-mean",
    "modernbert-masked",
    "modernbert-masked-no-bias",
    "mpnet-labels",
    "mpnet-masked",
    "nomic-labels",
    "nomic-masked",
    "qwen3-causal",
    "qwen3-causal-untied",
    "qwen3-labels",
    "roberta-masked",
    "xlm-roberta-labels",
];

/// Weights that a head does not read: parts of tables, or a second bias.
const LEFT: [(&str, &str); 2] = [
    ("camembert-masked", "lm_head.bias"),
    ("qwen3-causal-untied", "lm_head.weight"),
];

fn config(name: &str) -> Value {
    let bytes = fixture_bytes(&format!("{FOLDER}/{name}/config.json"));
    serde_json::from_slice(&bytes).expect("JSON")
}

fn weights_of(name: &str) -> WeightIndex {
    weights(&format!("{FOLDER}/{name}"))
}

fn head(name: &str) -> Head<'static> {
    if name.contains("masked") {
        Head::MaskedLanguageModel
    } else if name.contains("causal") {
        Head::causal(&[17, 5])
    } else {
        Head::SequenceClassification
    }
}

#[test]
fn heads_read_all_weights_and_have_the_promised_shape() {
    for name in MODELS {
        let index = weights_of(name);
        let head = head(name);
        let built = build(
            "config.json",
            config(name).to_string().as_bytes(),
            &index,
            head,
        );
        let built = built.unwrap_or_else(|error| panic!("{name}: {error}"));
        let left = LEFT.iter().filter(|(of, _)| *of == name);
        let left: Vec<&str> = left.map(|(_, weight)| *weight).collect();
        assert_eq!(unused(&built, &index), left, "{name}");

        let outputs: Vec<&str> = built.graph.outputs().collect();
        assert_eq!(outputs, [head.output()], "{name}");
        let values = ValueIndex::new(&built.graph);
        let trace = Trace::unpadded(&values, 2, 7);
        let (length, width) = match head {
            Head::MaskedLanguageModel => (7, 61),
            Head::CausalLanguageModel { .. } => (1, 2),
            _ => (1, built.width),
        };
        assert_eq!(
            trace.shape("logits"),
            Some(&[2, length, width][..]),
            "{name}"
        );
        assert_eq!(built.width, width, "{name}");

        // The head's layers are fused as those of the transformer are.
        let layers = |head| {
            let config = config(name).to_string();
            let built = build("config.json", config.as_bytes(), &index, head);
            let mut graph = built.expect("a known family").graph;
            fuse(&mut graph).linears
        };
        let more = layers(head) - layers(Head::None);
        let expected = match name {
            "eurobert-masked" | "llama-labels" | "qwen3-labels" => 1,
            "qwen3-causal" | "qwen3-causal-untied" => 0,
            _ => 2,
        };
        assert_eq!(more, expected, "{name}");
    }
}

/// The error of a model with other values in its configuration.
fn refused(name: &str, changes: &[(&str, Value)], head: Head<'_>) -> String {
    let mut config = config(name);
    for (key, value) in changes {
        config[key] = value.clone();
    }
    let config = config.to_string();
    let built = build("config.json", config.as_bytes(), &weights_of(name), head);
    built.expect_err("an impossible head").to_string()
}

#[test]
fn heads_that_are_not_implemented_are_refused_by_name() {
    for (name, head, class) in [
        (
            "llama-labels",
            Head::MaskedLanguageModel,
            "LlamaForSequenceClassification",
        ),
        ("bert-masked", Head::causal(&[1]), "BertForMaskedLM"),
    ] {
        let message = refused(name, &[], head);
        assert!(message.contains(class), "{message}");
        assert!(
            message.contains(name.split('-').next().unwrap_or_default()),
            "{message}"
        );
    }
}

#[test]
fn heads_have_to_fit_their_configuration() {
    let labels = Head::SequenceClassification;
    for (name, key, value, expected) in [
        (
            "bert-labels",
            "id2label",
            json!({"0": "no", "1": "yes"}),
            "id2label: expected 1",
        ),
        (
            "bert-labels",
            "num_labels",
            3.into(),
            "num_labels: expected 1",
        ),
        (
            "modernbert-labels",
            "classifier_pooling",
            "max".into(),
            "cls or mean",
        ),
        (
            "eurobert-labels",
            "classifier_pooling",
            "last".into(),
            "bos, mean or late",
        ),
        ("bert-masked", "hidden_act", "mish".into(), "`mish`"),
    ] {
        let message = refused(name, &[(key, value)], labels);
        assert!(message.contains(expected), "{message}");
    }
    // Neither head is in the other's files.
    let message = refused("bert-masked", &[], labels);
    assert!(message.contains("`bert.pooler.dense.weight`"), "{message}");
    let message = refused("bert-labels", &[], Head::MaskedLanguageModel);
    assert!(
        message.contains("`cls.predictions.transform.dense.weight`"),
        "{message}"
    );
    // A decoder of its own that is not there.
    let untied = [("tie_word_embeddings", false.into())];
    let message = refused("bert-masked", &untied, Head::MaskedLanguageModel);
    assert!(
        message.contains("`cls.predictions.decoder.weight`"),
        "{message}"
    );
    let message = refused("qwen3-causal", &[], Head::causal(&[61]));
    assert!(message.contains("more than 61 rows"), "{message}");
}

#[test]
fn damaged_configurations_are_read_or_refused() {
    for name in MODELS {
        let whole = fixture_bytes(&format!("{FOLDER}/{name}/config.json"));
        let index = weights_of(name);
        for round in 0..60 {
            let mut config = whole.clone();
            let at = (round * 40_503) % config.len();
            config[at] = b"0987{}[],:\"-etn."[round % 16];
            let _ = build("config.json", &config, &index, head(name));
        }
    }
}
