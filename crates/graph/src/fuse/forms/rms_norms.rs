//! RMS normalizations.

use super::Result;
use crate::operators::{LINEAR, RMS_NORMALIZE};

/// Each yields `y`, with an epsilon of 0.001.
const NORMALS: [(&str, &str); 8] = [
    (
        "a power and a quotient",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n y = Div(x, d)",
    ),
    (
        "a reciprocal",
        "a = Mul(x, x)\n b = ReduceMean(a) axes=2\n c = Add(0.001, b)\n d = Sqrt(c)\n e = Reciprocal(d)\n y = Mul(e, x)",
    ),
    (
        "one over the root",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n e = Div(1, d)\n y = Mul(x, e)",
    ),
    (
        "a negative power",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Pow(c, -0.5)\n y = Mul(x, d)",
    ),
    (
        "a power of one half",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Pow(c, 0.5)\n y = Div(x, d)",
    ),
    (
        "casts to the type that values have",
        "x32 = Cast(x) to=1\n a = Pow(x32, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n e = Reciprocal(d)\n f = Mul(x, e)\n y = Cast(f) to=1",
    ),
    (
        "a sum times a part of one",
        "a = Mul(x, x)\n b = ReduceSum(a) axes=-1\n c = Mul(b, 0.125)\n d = Add(c, 0.001)\n e = Sqrt(d)\n y = Div(x, e)",
    ),
    (
        "a sum over the count",
        "a = ReduceSumSquare(x) axes=-1\n c = Div(a, 8)\n d = Add(c, 0.001)\n e = Sqrt(d)\n y = Div(x, e)",
    ),
];

fn check(lines: &str, scale: &str) {
    let found = Result::of(lines);
    let norm = found.only(RMS_NORMALIZE);
    assert_eq!(found.fused.rms_normalizations, 1, "{lines}");
    assert_eq!(norm.input[0], "x", "{lines}");
    assert!(
        norm.input[1].starts_with(scale),
        "{lines}: {}",
        norm.input[1]
    );
    assert!((norm.float("epsilon", 0.) - 0.001).abs() < 1e-9, "{lines}");
    let is_left = |name: &str| found.graph.nodes().iter().any(|node| node.is(name));
    assert!(
        !is_left("Sqrt") && !is_left("Pow") && !is_left("Div"),
        "{lines}"
    );
}

#[test]
fn every_form_is_recognised() {
    for (name, lines) in NORMALS {
        eprintln!("{name}");
        check(&format!("{lines}\n out = Mul(y, b8)"), "b8");
        check(&format!("{lines}\n out = Mul(b8, y)"), "b8");
        check(&format!("{lines}\n s = Add(b8, 1)\n out = Mul(y, s)"), "s");
        check(
            &format!("{lines}\n s = Add(1, r8)\n out = Mul(s, y)"),
            "multivec.scale",
        );
        check(&format!("{lines}\n out = Mul(y, r8)"), "multivec.scale");
        // Without a scale.
        check(lines, "multivec.scale");
        check(
            &format!("{lines}\n z = Neg(x)\n out = Mul(y, z)"),
            "multivec.scale",
        );
    }
}

#[test]
fn operators_of_that_name_are_recognised() {
    for lines in [
        "out = RMSNormalization(x, b8) epsilon=0.001",
        "out = RMSNormalization(x, b8) axis=2 epsilon=0.001",
        "out = SimplifiedLayerNormalization(x, b8) axis=-1 epsilon=0.001",
    ] {
        check(lines, "b8");
    }
    let other_axis = Result::of("out = RMSNormalization(x, b8) axis=1 epsilon=0.001");
    assert_eq!(other_axis.fused.rms_normalizations, 0);
}

#[test]
fn heads_are_normalized() {
    let lines = "h = Reshape(x, s4)\n a = Pow(h, 2)\n b = ReduceMean(a) axes=1\n \
         c = Add(b, 0.001)\n d = Sqrt(c)\n y = Div(h, d)\n out = Mul(y, b4)";
    let found = Result::of(lines);
    assert_eq!(found.fused.rms_normalizations, 1);
    assert_eq!(found.only(RMS_NORMALIZE).input, ["h", "b4"]);
}

/// A sum that others read stays outside; one that nothing else reads belongs to
/// the layer before it.
#[test]
fn residuals_are_left_to_layers() {
    let (_, norm) = NORMALS[0];
    let norm = norm.replace("(x", "(sum");
    let found = Result::of(&format!(
        "p = MatMul(x, w8)\n sum = Add(x, p)\n {norm}\n n = Mul(y, b8)\n out = Add(n, sum)"
    ));
    assert_eq!(found.fused.rms_normalizations, 1);
    assert_eq!(found.only(LINEAR).output, ["sum"]);
}

#[test]
fn near_misses_stay() {
    for lines in [
        // Other axes.
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=1\n c = Add(b, 0.001)\n d = Sqrt(c)\n y = Div(x, d)\n out = Mul(y, b8)",
        // Other powers.
        "a = Pow(x, 3)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n y = Div(x, d)",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Pow(c, -0.4)\n y = Mul(x, d)",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n y = Mul(x, d)",
        // The root of another value, and a quotient of another one.
        "z = Neg(x)\n z2 = Add(z, 1)\n a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, 0.001)\n d = Sqrt(c)\n y = Div(z2, d)",
        // Epsilon outside of the root, and an epsilon for each column.
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Sqrt(b)\n d = Add(c, 0.01)\n y = Div(x, d)",
        "a = Pow(x, 2)\n b = ReduceMean(a) axes=-1\n c = Add(b, b8)\n d = Sqrt(c)\n y = Div(x, d)",
        // A sum that is not divided by the number of columns.
        "a = Pow(x, 2)\n b = ReduceSum(a) axes=-1\n c = Mul(b, 0.1)\n d = Add(c, 0.001)\n e = Sqrt(d)\n y = Div(x, e)",
    ] {
        let found = Result::of(lines);
        assert_eq!(found.fused.rms_normalizations, 0, "{lines}");
    }
}

/// The scale of some other shape is a product of its own.
#[test]
fn scales_of_other_shapes_stay_outside() {
    let (_, normal) = NORMALS[0];
    for product in [
        "out = Mul(y, 2.5)",
        "out = Mul(y, w8)",
        "z = ReduceMean(x) axes=-1\n out = Mul(y, z)",
    ] {
        let found = Result::of(&format!("{normal}\n {product}"));
        let products = found.graph.nodes().iter().filter(|node| node.is("Mul"));
        assert_eq!(products.count(), 1, "{product}");
    }
}
