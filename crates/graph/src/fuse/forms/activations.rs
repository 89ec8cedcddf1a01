//! Activation functions.

use super::Result;
use crate::operators::{ACTIVATION, LINEAR};

/// The name of a function, and lines that yield `out` from `v`.
const FORMS: [(&str, &str); 20] = [
    ("silu", "s = Sigmoid(v)\n out = Mul(v, s)"),
    ("silu", "s = Sigmoid(v)\n out = Mul(s, v)"),
    (
        "silu",
        "n = Neg(v)\n e = Exp(n)\n a = Add(e, 1)\n out = Div(v, a)",
    ),
    (
        "silu",
        "n = Neg(v)\n e = Exp(n)\n a = Add(1, e)\n r = Reciprocal(a)\n out = Mul(v, r)",
    ),
    ("silu", "out = contrib.QuickGelu(v) alpha=1.0"),
    ("silu", "out = Swish(v)"),
    (
        "quick_gelu",
        "m = Mul(v, 1.702)\n s = Sigmoid(m)\n out = Mul(v, s)",
    ),
    ("quick_gelu", "out = contrib.QuickGelu(v) alpha=1.702"),
    ("quick_gelu", "out = contrib.QuickGelu(v)"),
    ("quick_gelu", "out = Swish(v) alpha=1.702"),
    ("relu", "out = Relu(v)"),
    ("relu_squared", "r = Relu(v)\n out = Mul(r, r)"),
    ("relu_squared", "r = Relu(v)\n out = Pow(r, 2)"),
    (
        "gelu",
        "d = Div(v, 1.4142135)\n e = Erf(d)\n a = Add(e, 1)\n m = Mul(v, a)\n out = Mul(m, 0.5)",
    ),
    ("gelu", "out = contrib.Gelu(v)"),
    // With numbers of 16 bits.
    (
        "gelu",
        "d = Div(v, 1.4140625)\n e = Erf(d)\n a = Add(e, 1)\n m = Mul(v, a)\n out = Mul(m, 0.5)",
    ),
    (
        "gelu_tanh",
        "p = Pow(v, 3)\n c = Mul(p, 0.044708252)\n a = Add(v, c)\n s = Mul(a, 0.7978516)\n t = Tanh(s)\n o = Add(t, 1)\n h = Mul(v, 0.5)\n out = Mul(h, o)",
    ),
    (
        "quick_gelu",
        "m = Mul(v, 1.7021484)\n s = Sigmoid(m)\n out = Mul(v, s)",
    ),
    (
        "gelu_tanh",
        "p = Pow(v, 3)\n c = Mul(p, 0.044715)\n a = Add(v, c)\n s = Mul(a, 0.7978846)\n t = Tanh(s)\n o = Add(t, 1)\n h = Mul(v, 0.5)\n out = Mul(h, o)",
    ),
    (
        "gelu_tanh",
        "q = Mul(v, v)\n p = Mul(q, v)\n c = Mul(p, 0.044715)\n a = Add(v, c)\n s = Mul(a, 1.5957692)\n g = Sigmoid(s)\n out = Mul(g, v)",
    ),
];

#[test]
fn every_form_is_recognised() {
    for (function, lines) in FORMS {
        let found = Result::of(&format!("v = Neg(x)\n {lines}"));
        let node = found.only(ACTIVATION);
        assert_eq!(node.string("function"), function, "{lines}");
        assert_eq!(
            (node.input[0].as_str(), node.output[0].as_str()),
            ("v", "out")
        );
        assert_eq!(found.graph.nodes().len(), 3, "{lines}");
    }
}

#[test]
fn layers_apply_them() {
    for (function, lines) in FORMS {
        for product in ["v = MatMul(x, w6)", "p = MatMul(x, w6)\n v = Add(p, b6)"] {
            let found = Result::of(&format!("{product}\n {lines}"));
            let layer = found.only(LINEAR);
            assert_eq!(layer.string("activation"), function, "{lines}");
            assert_eq!(layer.output, ["out"], "{lines}");
        }
    }
}

#[test]
fn near_misses_stay() {
    for lines in [
        "d = Div(x, 1.4150391)\n e = Erf(d)\n a = Add(e, 1)\n m = Mul(x, a)\n out = Mul(m, 0.5)",
        "m = Mul(x, 1.7)\n s = Sigmoid(m)\n out = Mul(x, s)",
        "s = Sigmoid(x)\n z = Neg(x)\n out = Mul(z, s)",
        "s = Sigmoid(x)\n y = Abs(x)\n out = Mul(y, s)",
        "s = Sigmoid(x)\n m = Mul(x, s)\n out = Sigmoid(m)",
        "t = Tanh(x)\n out = Mul(x, t)",
        "r = Relu(x)\n out = Mul(r, x)",
        "r = Relu(x)\n out = Pow(r, 3)",
        "n = Neg(x)\n e = Exp(n)\n a = Add(e, 1.01)\n out = Div(x, a)",
        "out = contrib.QuickGelu(x) alpha=1.5",
        "out = Swish(x) alpha=2.0",
    ] {
        let found = Result::of(lines);
        let functions = found.graph.nodes().iter();
        let functions: Vec<&str> = functions
            .filter(|node| node.is_ours(ACTIVATION))
            .map(|node| node.string("function"))
            .collect();
        // What is inside may be an activation.
        let inner: &[&str] = if lines.contains("Relu") {
            &["relu"]
        } else if lines.ends_with("Sigmoid(m)") {
            &["silu"]
        } else {
            &[]
        };
        // The product with itself is the square of the same function.
        if lines.contains("Mul(r, x)") {
            assert_eq!(functions, ["relu_squared"], "{lines}");
        } else {
            assert_eq!(functions, inner, "{lines}");
        }
    }
}

/// A value that others read is not hidden in a layer.
#[test]
fn sums_with_other_readers_stay() {
    let found = Result::of("v = MatMul(x, w8)\n s = Sigmoid(v)\n m = Mul(v, s)\n out = Add(m, v)");
    assert_eq!(found.only(LINEAR).string("activation"), "none");
    assert_eq!(found.only(ACTIVATION).string("function"), "silu");
}

#[test]
fn other_functions_after_a_layer_stay() {
    for function in ["Tanh", "Sigmoid", "Softplus"] {
        let found = Result::of(&format!("v = MatMul(x, w8)\n out = {function}(v)"));
        assert_eq!(found.only(LINEAR).string("activation"), "none");
        assert!(found.graph.nodes().iter().any(|node| node.is(function)));
    }
}
