//! Graphs with operators that only tract-onnx has.

#![allow(clippy::expect_used, clippy::panic)]

use multivec_core::encoder::Normalization;
use multivec_core::{Backend, Error, Precision};
use multivec_testing::notation;
use multivec_testing::operators::{FALLBACK_CASES, branches};
use multivec_tract::TractBackend;

fn load(model: Vec<u8>) -> Result<TractBackend, Error> {
    TractBackend::load("model.onnx", model, Precision::Fp32, Normalization::Off)
}

#[test]
fn operators_of_tract_onnx_are_named() {
    for case in FALLBACK_CASES {
        let backend = load(notation::model(case.lines, 17)).expect("it loads");
        assert_eq!(backend.info().fallback_operators, case.operators);
    }
    let backend = load(branches()).expect("it loads");
    assert_eq!(backend.info().fallback_operators, ["If"]);
    let backend = load(notation::model("output = Abs(x)", 17)).expect("it loads");
    assert!(backend.info().fallback_operators.is_empty());
}

#[test]
fn operators_that_neither_has_are_named_at_once() {
    let lines = "a = Levitate(x)\n b = Elu(a)\n c = com.microsoft.Attention(b)\n d = Hover(c)\n e = Hover(d)\n f = Hover(e)\n output = Hover(f)";
    let error = load(notation::model(lines, 17)).expect_err("there are no such operators");
    let message = error.to_string();
    let names = "Hover (4 nodes: `node of d`, `node of e`, `node of f`, ...), \
                 Levitate (1 node: `node of a`), com.microsoft.Attention (1 node: `node of c`)";
    assert!(message.contains(names), "{message}");
    assert!(!message.contains("Elu"), "{message}");
}

#[test]
fn the_node_that_tract_onnx_refuses_is_named() {
    let lines = "output = Conv(x, table) kernel_shape=[3,3]";
    let error = load(notation::model(lines, 17)).expect_err("the shapes do not fit");
    let message = error.to_string();
    assert!(message.contains("node of output"), "{message}");
    // Values of weights are not in it.
    assert!(message.len() < 600, "{message}");
}
