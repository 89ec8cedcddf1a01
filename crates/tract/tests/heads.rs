//! Heads of each family against the logits of transformers, with token types.

#![allow(clippy::expect_used, clippy::panic)]

use multivec_core::{Backend, Precision, RunMode};
use multivec_graph::Graph;
use multivec_graph::modules::{SpladeActivation, SpladePooling, SpladeStrategy, append_splade};
use multivec_testing::folders::in_graph;
use multivec_testing::heads::{HeadModel, HeadText, batch};
use multivec_tract::{TractBackend, TractGraph};

/// The largest difference, in multiples of a value beyond 1.
const BOUND: f32 = 1e-5;

/// Models whose logits are pooled: with token types, with fewer columns before
/// the decoder, and without a bias.
const POOLED: [&str; 3] = ["bert-masked", "electra-masked", "modernbert-masked-no-bias"];

/// As it is written, and fused.
fn backends(graph: &Graph) -> [TractBackend; 2] {
    let graph = || TractGraph::new("model.onnx", graph.clone(), Precision::Fp32, &in_graph);
    [graph(), graph().fused()].map(|graph| TractBackend::open(graph).expect("it loads"))
}

/// What is expected of a text's positions.
fn check(found: &[f32], expected: &[f32], name: &str) {
    let far = found.iter().zip(expected).find(|(found, expected)| {
        let is_near = (*found - *expected).abs() <= BOUND * expected.abs().max(1.);
        !is_near
    });
    assert_eq!(far, None, "{name}");
}

fn run(backend: &TractBackend, texts: &[HeadText], length: usize) -> Vec<f32> {
    let states = backend.run(&batch(texts, length), RunMode::Exclusive);
    states.expect("it runs").data
}

#[test]
fn logits_are_those_of_transformers() {
    for model in HeadModel::all() {
        let texts = model.texts();
        for backend in backends(&model.graph()) {
            for text in &texts {
                let found = run(&backend, std::slice::from_ref(text), text.ids.len());
                assert_eq!(found.len(), text.logits.len(), "{}", model.name);
                check(&found, &text.logits, &model.name);
            }
            // Together, and longer than any of them.
            let length = 17;
            let found = run(&backend, &texts, length);
            for (found, text) in found.chunks_exact(found.len() / texts.len()).zip(&texts) {
                // Positions of padding do not matter.
                check(found, &text.logits, &model.name);
            }
        }
    }
}

#[test]
fn pooled_logits_are_those_of_the_definition() {
    let mut models = HeadModel::all();
    models.retain(|model| POOLED.contains(&model.name.as_str()));
    assert_eq!(models.len(), POOLED.len());
    for model in models {
        let texts = model.texts();
        for strategy in [SpladeStrategy::Max, SpladeStrategy::Sum] {
            for activation in [SpladeActivation::Relu, SpladeActivation::Log1pRelu] {
                let mut graph = model.graph();
                let pooling = SpladePooling::new(strategy, activation);
                append_splade(&mut graph, "model.onnx", "logits", pooling).expect("an output");
                for backend in backends(&graph) {
                    let found = run(&backend, &texts, 19);
                    let columns = found.len() / texts.len();
                    for (found, text) in found.chunks_exact(columns).zip(&texts) {
                        check(found, &pooled(text, columns, pooling), &model.name);
                    }
                }
            }
        }
    }
}

/// The definition, in 64 bits.
fn pooled(text: &HeadText, columns: usize, pooling: SpladePooling) -> Vec<f32> {
    let rows = text.logits.chunks_exact(columns);
    assert_eq!(rows.len(), text.ids.len());
    let weight = |logit: f32| {
        let once = f64::from(logit.max(0.)).ln_1p();
        match pooling.activation {
            SpladeActivation::Log1pRelu => once.ln_1p(),
            _ => once,
        }
    };
    let weights = |column: usize| rows.clone().map(move |row| weight(row[column]));
    let columns = (0..columns).map(|column| match pooling.strategy {
        SpladeStrategy::Max => weights(column).fold(0., f64::max),
        _ => weights(column).sum(),
    });
    columns.map(|value| value as f32).collect()
}
