//! Layers whose outputs are joined over tokens.

use super::Result;
use crate::operators::{LINEAR, POOLED_LINEAR};

const LAYER: &str = "v = MatMul(x, w20)\n y = Add(v, b20)
    m = Cast(attention_mask) to=1\n n = Unsqueeze(m, i2)";

#[test]
fn outputs_are_joined_in_any_order() {
    for (lines, join, logs) in [
        (
            "z = Mul(y, n)\n q = ReduceMax(z) axes=1\n r = Relu(q)\n a = Add(r, 1)\n out = Log(a)",
            "max",
            1,
        ),
        (
            "r = Relu(y)\n a = Add(1, r)\n l = Log(a)\n z = Mul(n, l)\n out = ReduceMax(z) axes=1",
            "max",
            1,
        ),
        (
            "r = Relu(y)\n a = Add(r, 1)\n l = Log(a)\n b = Add(l, 1)\n k = Log(b)\n z = Mul(k, n)\n out = ReduceSum(z, i1)",
            "sum",
            2,
        ),
        (
            "z = Mul(y, n)\n r = Relu(z)\n a = Add(r, 1)\n l = Log(a)\n q = ReduceSum(l, i1) keepdims=0\n out = Unsqueeze(q, i1)",
            "sum",
            1,
        ),
        (
            "k = Cast(attention_mask) to=9\n w = Unsqueeze(k, i2)\n z = Where(w, y, -10000)\n q = ReduceMax(z) axes=1\n out = Relu(q)",
            "max",
            0,
        ),
    ] {
        let found = Result::of(&format!("{LAYER}\n {lines}"));
        let layer = found.only(POOLED_LINEAR);
        let attributes = (layer.string("join"), layer.int("logs", 9));
        assert_eq!(attributes, (join, logs), "{lines}");
        assert_eq!(layer.output, ["out"], "{lines}");
        assert_eq!(layer.input[7], "attention_mask", "{lines}");
        // The lookup, and the layer.
        assert_eq!(found.graph.nodes().len(), 2, "{lines}");
    }
}

#[test]
fn what_follows_stays() {
    for (lines, join, output) in [
        (
            "z = Mul(y, n)\n q = ReduceMax(z) axes=1\n r = Relu(q)\n out = Mul(r, b20)",
            "max",
            "r",
        ),
        // Not the logarithm that belongs to it.
        (
            "z = Mul(y, n)\n q = ReduceMax(z) axes=1\n r = Relu(q)\n a = Add(r, 2)\n out = Log(a)",
            "max",
            "r",
        ),
        // Not the logarithm of each token.
        (
            "r = Relu(y)\n z = Mul(r, n)\n q = ReduceSum(z, i1)\n a = Add(q, 1)\n out = Log(a)",
            "sum",
            "q",
        ),
    ] {
        let found = Result::of(&format!("{LAYER}\n {lines}"));
        let layer = found.only(POOLED_LINEAR);
        assert_eq!(layer.output, [output], "{lines}");
        let attributes = (layer.string("join"), layer.int("logs", 9));
        assert_eq!(attributes, (join, 0), "{lines}");
    }
}

#[test]
fn near_misses_are_left() {
    for lines in [
        // Values below 0.
        "z = Mul(y, n)\n out = ReduceMax(z) axes=1",
        // Padding counts.
        "q = ReduceMax(y) axes=1\n out = Relu(q)",
        "a = Sub(1, n)\n z = Mul(y, a)\n q = ReduceMax(z) axes=1\n out = Relu(q)",
        // Other functions.
        "z = Mul(y, n)\n q = ReduceMean(z) axes=1\n out = Relu(q)",
        "z = Mul(y, n)\n q = ReduceMin(z) axes=1\n out = Relu(q)",
        // Columns are joined, too.
        "z = Mul(y, n)\n q = ReduceMax(z)\n out = Relu(q)",
        // Another reader of the outputs.
        "z = Mul(y, n)\n q = ReduceMax(z) axes=1\n r = Relu(q)\n out = Add(r, y)",
    ] {
        let found = Result::of(&format!("{LAYER}\n {lines}"));
        found.only(LINEAR);
    }
    // Of few columns, other functions might be the same by chance.
    let found = Result::of(
        "y = MatMul(x, w6)\n m = Cast(attention_mask) to=1\n n = Unsqueeze(m, i2)
        z = Mul(y, n)\n q = ReduceMax(z) axes=1\n out = Relu(q)",
    );
    found.only(LINEAR);
}
