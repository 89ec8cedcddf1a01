//! Gated layers.

use super::Result;
use crate::operators::LINEAR;

const SILU: &str = "s = Sigmoid(g)\n a = Mul(g, s)";
const FUNCTIONS: [(&str, &str); 5] = [
    ("silu", SILU),
    ("relu", "a = Relu(g)"),
    ("relu_squared", "r = Relu(g)\n a = Mul(r, r)"),
    ("quick_gelu", "a = contrib.QuickGelu(g)"),
    ("gelu_tanh", "a = contrib.FastGelu(g)"),
];

#[test]
fn halves_of_a_layer_are_a_gate() {
    for (function, lines) in FUNCTIONS {
        for (cut, activated) in [
            ("g, u = Split(v) axis=-1", 0),
            ("g, u = Split(v) axis=2", 0),
            ("u, g = Split(v) axis=-1", 1),
        ] {
            for product in ["out = Mul(a, u)", "out = Mul(u, a)"] {
                let found = Result::of(&format!("v = MatMul(x, w6)\n {cut}\n {lines}\n {product}"));
                let layer = found.only(LINEAR);
                let expected = format!("gated_{function}");
                assert_eq!(layer.string("activation"), expected, "{cut}");
                assert_eq!(layer.int("activated", 0), activated, "{cut}");
                assert_eq!((layer.output[0].as_str(), found.fused.gated), ("out", 1));
            }
        }
    }
}

#[test]
fn products_of_two_layers_are_a_gate() {
    for (_, lines) in FUNCTIONS {
        for product in ["out = Mul(a, u)", "out = Mul(u, a)"] {
            for factor in ["u = MatMul(x, v6)", "u0 = MatMul(x, v6)\n u = Add(u0, b6)"] {
                let found = Result::of(&format!(
                    "g = MatMul(x, w6)\n {factor}\n {lines}\n {product}"
                ));
                assert_eq!((found.fused.linears, found.fused.gated), (2, 1), "{lines}");
            }
        }
    }
}

#[test]
fn near_misses_are_no_gates() {
    for lines in [
        // Unequal halves, of which one is broadcast.
        format!("v = MatMul(x, w6)\n g, u = Split(v) axis=-1 split=1;5\n {SILU}\n out = Mul(a, u)"),
        // The same half twice.
        format!("v = MatMul(x, w6)\n g, u = Split(v) axis=-1\n {SILU}\n out = Mul(a, g)"),
        // Halves of the tokens.
        format!(
            "v = MatMul(x, w6)\n t = Concat(v, v) axis=1\n g, u = Split(t) axis=1\n {SILU}\n out = Mul(a, u)"
        ),
        // Two layers of other rows.
        format!(
            "z = Neg(x)\n g = MatMul(x, w6)\n u0 = MatMul(z, v6)\n u = Add(u0, b6)\n {SILU}\n out = Mul(a, u)"
        ),
        // Two layers without a function.
        "g = MatMul(x, w6)\n u0 = MatMul(x, v6)\n u = Add(u0, b6)\n out = Mul(g, u)".to_owned(),
        // Outputs that are read elsewhere.
        format!(
            "g = MatMul(x, w6)\n u0 = MatMul(x, v6)\n u = Add(u0, b6)\n {SILU}\n m = Mul(a, u)\n out = Add(m, u)"
        ),
        // One column for all.
        format!(
            "g = MatMul(x, w6)\n u0 = MatMul(x, v1)\n u = Add(u0, b1)\n {SILU}\n out = Mul(a, u)"
        ),
    ] {
        let found = Result::of(&lines);
        assert_eq!(found.fused.gated, 0, "{lines}");
    }
}

/// The sum after the layer that reads the gate's output is a part of it.
#[test]
fn residuals_are_fused_behind_gates() {
    let found = Result::of(&format!(
        "g = MatMul(x, w8)\n u0 = MatMul(x, v8)\n u = Add(u0, b8)\n {SILU}\n m = Mul(a, u)\n \
         p = MatMul(m, w8)\n out = Add(x, p)"
    ));
    let mut layers = found
        .graph
        .nodes()
        .iter()
        .filter(|node| node.is_ours(LINEAR));
    let last = layers.next_back().expect("a layer");
    assert_eq!(last.output, ["out"]);
    assert_eq!(last.input[5], "x");
    assert_eq!(found.fused.gated, 1);
}
