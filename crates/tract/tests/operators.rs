//! Each operator as this crate wires it against tract-onnx, tract's own reader,
//! on small graphs. Both run on the same engine, so that values are equal but
//! for rounding.

#![allow(clippy::expect_used, clippy::panic)]

use multivec_core::batch::TokenBatch;
use multivec_core::encoder::Normalization;
use multivec_core::{Backend, Precision, RunMode};
use multivec_testing::notation;
use multivec_testing::operators::{CASES, LATER_CASES, OLD_CASES};
use multivec_tract::TractBackend;
use tract_onnx::prelude::*;

const ROWS: usize = 2;
const LENGTH: usize = 5;
const IDS: [i64; ROWS * LENGTH] = [1, 7, 300, 2049, 5, 0, 42, 42, 1999, 3];

/// What tract-onnx cannot run, or gets wrong, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

fn ours(model: Vec<u8>) -> Vec<f32> {
    let normalization = Normalization::Off;
    let backend = TractBackend::load("model.onnx", model, Precision::Fp32, normalization)
        .expect("the graph loads");
    let batch = TokenBatch::unpadded(ROWS, IDS.to_vec());
    let states = backend.run(&batch, RunMode::Exclusive);
    states.expect("the graph runs").data
}

fn theirs(model: &[u8]) -> TractResult<Vec<f32>> {
    let mut model = tract_onnx::onnx().model_for_read(&mut &*model)?;
    let shape = [
        model.symbols.sym("batch").to_dim(),
        model.symbols.sym("length").to_dim(),
    ];
    let inputs = model.input_outlets()?.len();
    for at in 0..inputs {
        model.set_input_fact(at, i64::fact(&shape).into())?;
    }
    let plan = model.into_optimized()?.into_runnable()?;
    let ids = Tensor::from_shape(&[ROWS, LENGTH], &IDS)?;
    let mask = Tensor::from_shape(&[ROWS, LENGTH], &[1i64; ROWS * LENGTH])?;
    // In the order of the graph.
    let inputs = [ids.into(), mask.into()].into_iter().take(inputs).collect();
    let outputs = plan.run(inputs)?;
    let output = outputs[0].to_plain_array_view::<f32>()?;
    Ok(output.iter().copied().collect())
}

fn compare(cases: &[(&str, &str)], opset: i64) {
    let mut failures = Vec::new();
    for &(name, lines) in cases {
        let model = notation::model(lines, opset);
        let is_exception = EXCEPTIONS.iter().any(|(exception, _)| *exception == name);
        let found = ours(model.clone());
        let difference = match theirs(&model) {
            Ok(expected) => difference(&expected, &found),
            Err(error) => Some(format!("{error:#}")),
        };
        match difference {
            Some(difference) if !is_exception => failures.push(format!("{name}: {difference}")),
            None if is_exception => failures.push(format!("{name}: no exception any more")),
            _ => {}
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn difference(expected: &[f32], found: &[f32]) -> Option<String> {
    if expected.len() != found.len() {
        let lengths = (expected.len(), found.len());
        return Some(format!(
            "expected {} values, found {}",
            lengths.0, lengths.1
        ));
    }
    let mut pairs = expected.iter().zip(found);
    let far = pairs.find(|&(expected, found)| {
        let is_near = (expected - found).abs() <= 1e-5 * expected.abs().max(1.);
        !is_near
    });
    far.map(|(expected, found)| format!("expected {expected}, found {found}"))
}

#[test]
fn operators_give_the_values_of_tract_onnx() {
    compare(CASES, 17);
}

#[test]
fn later_operators_give_the_values_of_tract_onnx() {
    compare(LATER_CASES, 20);
}

#[test]
fn old_forms_of_operators_give_the_values_of_tract_onnx() {
    compare(OLD_CASES, 9);
}
