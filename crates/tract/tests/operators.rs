//! Each operator as this crate wires it against tract-onnx, tract's own reader,
//! on small graphs. Both run on the same engine, so that values are equal but
//! for rounding.

#![allow(clippy::expect_used, clippy::panic)]

use multivec_core::batch::TokenBatch;
use multivec_core::encoder::Normalization;
use multivec_core::{Backend, Error, Precision, RunMode};
use multivec_testing::notation;
use multivec_testing::operators::{CASES, LATER_CASES, OLD_CASES};
use multivec_tract::TractBackend;
use tract_onnx::prelude::*;

const ROWS: usize = 2;
const LENGTH: usize = 5;
const IDS: [i64; ROWS * LENGTH] = [1, 7, 300, 2049, 5, 0, 42, 42, 1999, 3];

/// Cases that tract-onnx does not run, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // It takes zeros for 64-bit floats where the node does not say.
    ("ConstantOfShape", "tensor is F64, accessed as F32"),
    // The axis is a list of one in ours.
    ("CumSum", "inputs[1].rank == 0"),
    (
        "CumSum from the end, without the element",
        "inputs[1].rank == 0",
    ),
    ("DynamicQuantizeLinear", "y_scale must be a const"),
    ("Flatten", "square of symbols"),
];

fn ours(model: Vec<u8>) -> Result<Vec<f32>, Error> {
    let normalization = Normalization::Off;
    let backend = TractBackend::load("model.onnx", model, Precision::Fp32, normalization)?;
    let batch = TokenBatch::unpadded(ROWS, IDS.to_vec());
    Ok(backend.run(&batch, RunMode::Exclusive)?.data)
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
        let exception = EXCEPTIONS.iter().find(|(exception, _)| *exception == name);
        let found = match ours(model.clone()) {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        let difference = match theirs(&model) {
            Ok(expected) => difference(&expected, &found),
            Err(error) => Some(format!("{error:#}")),
        };
        let (found, expected) = (difference, exception.map(|(_, reason)| *reason));
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) if found.contains(expected) => {}
            (found, expected) => failures.push(format!(
                "{name}: expected the difference {expected:?}, found {found:?}"
            )),
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
