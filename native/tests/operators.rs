//! Each operator of the tract backend against ONNX Runtime, on small graphs.
#![cfg(feature = "tract")]
#![allow(clippy::expect_used, clippy::panic, dead_code)]

use multivec::{
    Encoder, EncoderBuilder, Engine, GraphForm, ModelBytes, Normalization, Optimization, Precision,
    optimize_graph,
};

/// Every operator, as lines that lead from `x`, floats of
/// `[batch, length, 8]`, to `output`. Also there: `p`, the same above zero,
/// the inputs, and the constants of `notation`.
const CASES: &[(&str, &str)] = &[
    ("Abs", "output = Abs(x)"),
    ("Add of another rank", "output = Add(x, row)"),
    (
        "And, Or, Xor, Not",
        "a = Greater(x, half)\n b = Less(x, one)\n c = And(a, b)\n d = Or(a, c)\n e = Xor(d, b)\n f = Not(e)\n output = Cast(f) to=1",
    ),
    ("ArgMax", "a = ArgMax(x) axis=-1\n output = Cast(a) to=1"),
    (
        "ArgMin",
        "a = ArgMin(x) axis=2 keepdims=0 select_last_index=1\n b = Cast(a) to=1\n output = Unsqueeze(b, last)",
    ),
    (
        "Cast to truth values and integers",
        "a = Cast(x) to=9\n b = Cast(a) to=6\n c = Cast(x) to=7\n d = Cast(c) to=1\n e = Cast(b) to=1\n output = Add(d, e)",
    ),
    (
        "CastLike",
        "a = CastLike(x, attention_mask)\n output = CastLike(a, x)",
    ),
    (
        "Ceil, Floor, Round, Sign",
        "a = Ceil(x)\n b = Floor(x)\n c = Round(x)\n d = Sign(x)\n output = Sum(a, b, c, d)",
    ),
    ("Clip by inputs", "output = Clip(x, zero, one)"),
    ("Clip from above", "output = Clip(x, , half)"),
    ("Concat", "output = Concat(x, p, x) axis=-1"),
    (
        "Constant",
        "a = Constant() value_float=0.25\n b = Constant() value_floats=[0.5,1.5,2.5,3.5,4.5,5.5,6.5,7.5]\n c = Mul(x, a)\n output = Add(c, b)",
    ),
    (
        "Constant of integers",
        "a = Constant() value_int=3\n b = Constant() value_ints=[1,2,3,4,5,6,7,8]\n c = Mul(a, b)\n d = Cast(c) to=1\n output = Mul(x, d)",
    ),
    (
        "ConstantOfShape",
        "a = Shape(x)\n b = ConstantOfShape(a)\n output = Add(x, b)",
    ),
    (
        "Cos and Sin",
        "a = Cos(x)\n b = Sin(x)\n output = Mul(a, b)",
    ),
    ("CumSum", "output = CumSum(x, axis1)"),
    (
        "CumSum from the end, without the element",
        "output = CumSum(x, axis1) exclusive=1 reverse=1",
    ),
    (
        "DequantizeLinear",
        "q = Cast(p) to=2\n output = DequantizeLinear(q, half, zero_u8)",
    ),
    (
        "DequantizeLinear along an axis",
        "q = Cast(p) to=2\n output = DequantizeLinear(q, row, row_u8) axis=2",
    ),
    ("Div", "output = Div(x, p)"),
    (
        "Div of integers",
        "a = Cast(p) to=7\n b = Div(a, three)\n output = Cast(b) to=1",
    ),
    ("Dropout", "output = Dropout(x)"),
    (
        "DynamicQuantizeLinear",
        "q, s, z = DynamicQuantizeLinear(x)\n output = DequantizeLinear(q, s, z)",
    ),
    ("Einsum", "output = Einsum(x, square) equation=blk,kn->bln"),
    (
        "Equal and comparisons",
        "a = Equal(x, x)\n b = GreaterOrEqual(x, one)\n c = LessOrEqual(x, half)\n d = Where(b, x, p)\n e = Where(c, d, half)\n output = Where(a, e, p)",
    ),
    ("Erf", "output = Erf(x)"),
    (
        "Exp and Log",
        "a = Log(p)\n b = Exp(a)\n output = Add(a, b)",
    ),
    (
        "Expand",
        "a = Shape(x)\n b = Expand(half, a)\n output = Mul(x, b)",
    ),
    (
        "Flatten",
        "a = Flatten(x) axis=2\n b = Shape(x)\n output = Reshape(a, b)",
    ),
    ("Gather", "output = Gather(x, places) axis=2"),
    ("Gather from the end", "output = Gather(x, minus) axis=-1"),
    (
        "GatherElements",
        "a = Cast(x) to=7\n b = Sub(a, a)\n c = Add(b, three)\n output = GatherElements(x, c) axis=2",
    ),
    (
        "Gather from a table of levels",
        "a = Gather(table_u8, input_ids)\n b = DequantizeLinear(a, half, zero_u8)\n output = Add(x, b)",
    ),
    (
        "Gather from a table of levels by columns",
        "a = Gather(table_i8, input_ids)\n b = DequantizeLinear(a, row, row_i8) axis=-1\n output = Add(x, b)",
    ),
    (
        "Gather from dequantized rows",
        "a = DequantizeLinear(table_i8, rows_of_scales, rows_of_zeros) axis=0\n b = Gather(a, input_ids)\n output = Add(x, b)",
    ),
    (
        "Gather from dequantized columns",
        "a = DequantizeLinear(table_u8, row, row_u8) axis=1\n b = Gather(a, input_ids) axis=-2\n output = Add(x, b)",
    ),
    (
        "Gather of levels and scales",
        "a = Gather(table_i8, input_ids)\n b = Cast(a) to=1\n c = Gather(column_of_scales, input_ids)\n d = Mul(b, c)\n output = Add(x, d)",
    ),
    (
        "Gather by positions",
        "a = Shape(input_ids)\n b = Gather(a, one_i) axis=0\n c = Range(zero_i, b, one_i)\n d = Cast(c) to=6\n e = Unsqueeze(d, zero_list)\n f = Gather(table, e)\n output = Add(x, f)",
    ),
    (
        "GatherND",
        "a = Shape(input_ids)\n b = ConstantOfShape(a)\n c = Cast(b) to=7\n d = Unsqueeze(c, last)\n e = GatherND(x, d) batch_dims=2\n output = Unsqueeze(e, last)",
    ),
    (
        "Gelu",
        "a = Div(x, root_two)\n b = Erf(a)\n c = Add(b, one)\n d = Mul(x, c)\n output = Mul(d, half)",
    ),
    (
        "Gemm",
        "a = Reshape(x, rows)\n b = Gemm(a, square, row) transB=1 alpha=0.5 beta=2.0\n c = Shape(x)\n output = Reshape(b, c)",
    ),
    ("Identity", "output = Identity(x)"),
    (
        "IsNaN",
        "a = Sqrt(x)\n b = IsNaN(a)\n output = Where(b, half, a)",
    ),
    (
        "LayerNormalization",
        "output = LayerNormalization(x, row, row) axis=-1 epsilon=0.001",
    ),
    (
        "LayerNormalization without bias",
        "output = LayerNormalization(x, row)",
    ),
    ("LogSoftmax", "output = LogSoftmax(x) axis=-1"),
    (
        "LpNormalization",
        "a = LpNormalization(x) axis=-1 p=2\n output = Add(a, one)",
    ),
    (
        "L2 normalization as torch has it",
        "a = ReduceL2(x) axes=[-1] keepdims=1\n b = Clip(a, tiny)\n c = Shape(x)\n d = Expand(b, c)\n e = Div(x, d)\n output = Add(e, one)",
    ),
    (
        "L2 normalization by a root",
        "a = Mul(x, x)\n b = ReduceSum(a, last)\n c = Add(b, half)\n d = Sqrt(c)\n e = Div(x, d)\n output = Add(e, one)",
    ),
    (
        "L2 normalization by a reciprocal of a sum",
        "a = ReduceSumSquare(x) axes=[2]\n b = Sqrt(a)\n c = Add(half, b)\n d = Reciprocal(c)\n e = Mul(d, x)\n output = Add(e, one)",
    ),
    (
        "Gemm as a linear layer",
        "a = Reshape(x, rows)\n b = Gemm(a, square, row)\n c = Shape(x)\n output = Reshape(b, c)",
    ),
    ("MatMul", "output = MatMul(x, square)"),
    (
        "MatMul of batches",
        "a = Transpose(x) perm=[0,2,1]\n b = MatMul(x, a)\n c = Softmax(b) axis=-1\n output = MatMul(c, x)",
    ),
    (
        "MatMulNBits",
        "output = com.microsoft.MatMulNBits(x, square_4, row) K=8 N=8 bits=4 block_size=16",
    ),
    (
        "MatMulNBits with zero points",
        "output = com.microsoft.MatMulNBits(x, square_4, row, row_u8) K=8 N=8 bits=4 block_size=16",
    ),
    (
        "Gelu of ONNX Runtime",
        "a = com.microsoft.Gelu(x)\n output = com.microsoft.FastGelu(a)",
    ),
    (
        "MatMulInteger",
        "q, s, z = DynamicQuantizeLinear(x)\n a = MatMulInteger(q, square_i8, z, zero_i8)\n b = Cast(a) to=1\n output = Mul(b, s)",
    ),
    (
        "MatMulInteger by columns",
        "q, s, z = DynamicQuantizeLinear(x)\n a = MatMulInteger(q, square_i8, z, row_i8)\n b = Cast(a) to=1\n output = Mul(b, s)",
    ),
    (
        "MatMulInteger without zero points",
        "q, s, z = DynamicQuantizeLinear(p)\n a = MatMulInteger(q, square_i8)\n b = Cast(a) to=1\n output = Mul(b, s)",
    ),
    (
        "Max and Min",
        "a = Max(x, half, row)\n output = Min(a, one)",
    ),
    ("Mul and Neg", "a = Neg(x)\n output = Mul(a, row)"),
    ("Pow", "output = Pow(x, two)"),
    ("Pow with a root", "output = Pow(p, half)"),
    (
        "QuantizeLinear",
        "q = QuantizeLinear(x, half, zero_u8)\n output = DequantizeLinear(q, half, zero_u8)",
    ),
    (
        "QuantizeLinear along an axis",
        "q = QuantizeLinear(x, row, row_i8) axis=2\n output = DequantizeLinear(q, row, row_i8) axis=2",
    ),
    (
        "Range",
        "a = Shape(input_ids)\n b = Gather(a, one_i) axis=0\n c = Range(zero_i, b, one_i)\n d = Cast(c) to=1\n e = Unsqueeze(d, last_of_one)\n output = Add(x, e)",
    ),
    ("Reciprocal", "output = Reciprocal(p)"),
    ("ReduceL1", "a = ReduceL1(x) axes=[-1]\n output = Div(x, a)"),
    (
        "ReduceL2",
        "a = ReduceL2(x) axes=[2]\n b = Div(x, a)\n output = Add(b, one)",
    ),
    (
        "ReduceMax",
        "a = ReduceMax(x) axes=[1]\n output = Sub(x, a)",
    ),
    (
        "ReduceMean",
        "a = ReduceMean(x) axes=[-1] keepdims=0\n output = Unsqueeze(a, last)",
    ),
    (
        "ReduceMean over a free axis",
        "a = ReduceMean(x) axes=[1]\n output = Sub(x, a)",
    ),
    (
        "ReduceMin",
        "a = ReduceMin(x) axes=[2]\n output = Sub(x, a)",
    ),
    ("ReduceProd", "output = ReduceProd(p) axes=[2]"),
    ("ReduceSum", "output = ReduceSum(x, last)"),
    (
        "ReduceSum of nothing",
        "output = ReduceSum(x) noop_with_empty_axes=1",
    ),
    ("ReduceSumSquare", "output = ReduceSumSquare(x) axes=[2]"),
    ("Relu", "output = Relu(x)"),
    (
        "Reshape with 0 and -1",
        "a = Reshape(x, heads)\n b = Transpose(a) perm=[0,1,3,2]\n output = Reshape(b, merged)",
    ),
    (
        "Shape from and to an axis",
        "a = Shape(x) start=0 end=2\n b = Shape(x) start=-1\n c = Concat(a, b) axis=0\n output = Reshape(x, c)",
    ),
    ("Sigmoid", "output = Sigmoid(x)"),
    (
        "Size",
        "a = Size(x)\n b = Cast(a) to=1\n output = Div(x, b)",
    ),
    ("Slice", "output = Slice(x, from_i, to_i, last)"),
    (
        "Slice backwards",
        "output = Slice(x, minus, to_start, last, back)",
    ),
    (
        "Slice to a size",
        "a = Shape(input_ids)\n b = Slice(a, one_list, two_list, zero_list)\n c = Slice(positions, zero_list, b, one_list)\n output = Add(x, c)",
    ),
    ("Softmax", "output = Softmax(x) axis=1"),
    (
        "Split",
        "a, b = Split(x) axis=2\n c = Neg(a)\n output = Concat(b, c) axis=2",
    ),
    (
        "Split by sizes",
        "a, b = Split(x, parts) axis=-1\n output = Concat(b, a) axis=2",
    ),
    ("Sqrt", "output = Sqrt(p)"),
    (
        "Squeeze",
        "a = Unsqueeze(x, axis1)\n output = Squeeze(a, axis1)",
    ),
    (
        "Squeeze of all axes of size 1",
        "a = Unsqueeze(square, axis1)\n b = Squeeze(a)\n output = MatMul(x, b)",
    ),
    ("Tanh", "output = Tanh(x)"),
    ("Tile", "output = Tile(x, thrice)"),
    (
        "Transpose",
        "a = Transpose(x)\n output = Transpose(a) perm=[2,1,0]",
    ),
    (
        "Trilu",
        "a = Transpose(x) perm=[0,2,1]\n b = MatMul(x, a)\n c = Trilu(b, one_i) upper=0\n d = Trilu(c) upper=1\n output = MatMul(d, x)",
    ),
];

/// Operators of later sets of operators than the 17th.
const LATER_CASES: &[(&str, &str)] = &[
    ("Gelu", "output = Gelu(x)"),
    ("Gelu by tanh", "output = Gelu(x) approximate=tanh"),
    ("ReduceMax by an input", "output = ReduceMax(x, last)"),
];

fn load(model: &[u8], engine: Engine) -> Result<Encoder, multivec::Error> {
    load_as(model, engine, Optimization::Checked)
}

fn load_as(model: &[u8], engine: Engine, form: Optimization) -> Result<Encoder, multivec::Error> {
    let read = |name: &str| {
        let root = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/tiny-modernbert"
        );
        std::fs::read(format!("{root}/{name}")).expect("the fixture is there")
    };
    let mut config: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&read("onnx_config.json")).expect("JSON");
    config.remove("embedding_dim");
    EncoderBuilder::from_bytes(ModelBytes {
        config: serde_json::to_vec(&config).expect("JSON"),
        tokenizer: read("tokenizer.json"),
        model: model.to_vec(),
        precision: Precision::Fp32,
    })
    .with_engine(engine)
    .with_normalization(Normalization::Off)
    .with_optimization(form)
    .build()
}

fn check(cases: &[(&str, &str)], opset: i64) {
    let texts = [
        "One text.",
        "Another, rather longer text about nothing.",
        "",
    ];
    let mut failures = Vec::new();
    for (name, lines) in cases {
        let model = multivec_testing::notation::model(lines, opset);
        let expected = load(&model, Engine::OnnxRuntime)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .encode_documents(&texts)
            .expect("ONNX Runtime encodes");
        let found =
            load(&model, Engine::Tract).and_then(|encoder| encoder.encode_documents(&texts));
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        for (expected, found) in expected.iter().zip(&found) {
            assert!(!expected.as_slice().is_empty(), "{name}");
            assert_eq!(expected.as_slice().len(), found.as_slice().len(), "{name}");
            let far = expected
                .as_slice()
                .iter()
                .zip(found.as_slice())
                .find(|&(&expected, &found)| !is_near(expected, found));
            if let Some((expected, found)) = far {
                failures.push(format!("{name}: expected {expected}, found {found}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Not a number is never near.
fn is_near(expected: f32, found: f32) -> bool {
    (expected - found).abs() <= 1e-5 * expected.abs().max(1.)
}

#[test]
fn operators_are_those_of_onnx_runtime() {
    check(CASES, 17);
}

#[test]
fn operators_of_later_sets_are_those_of_onnx_runtime() {
    check(LATER_CASES, 20);
}

#[test]
fn old_forms_of_operators() {
    check(
        &[
            (
                "Softmax over all axes from one on",
                "output = Softmax(x) axis=2",
            ),
            (
                "Slice by attributes",
                "output = Slice(x) starts=[1] ends=[-1] axes=[2]",
            ),
            ("Clip by attributes", "output = Clip(x) min=-0.5 max=0.5"),
            (
                "Squeeze and Unsqueeze by attributes",
                "a = Unsqueeze(x) axes=[0]\n output = Squeeze(a) axes=[0]",
            ),
            (
                "Split by an attribute",
                "a, b = Split(x) axis=2 split=[3,5]\n output = Concat(b, a) axis=2",
            ),
        ],
        9,
    );
}

#[test]
fn products_with_weights_are_linear_layers() {
    for lines in [
        "a = MatMul(x, square)\n output = Add(row, a)",
        "w = Transpose(square) perm=[1,0]\n a = MatMul(x, w)\n output = Add(a, row)",
        "a = Reshape(x, rows)\n b = Gemm(a, square, row) transB=1\n c = Shape(x)\n output = Reshape(b, c)",
    ] {
        let encoder = load(&multivec_testing::notation::model(lines, 17), Engine::Tract)
            .expect("the graph runs");
        let GraphForm::Fused(fused) = encoder.info().graph else {
            panic!("{lines}: {}", encoder.info().graph);
        };
        assert_eq!(fused.linears, 1, "{lines}");
        check(&[(lines, lines)], 17);
    }
}

/// What is looked up and scaled is recognised in each of its forms, beside the
/// lookup of `x`.
#[test]
fn embeddings_and_l2_normalizations_are_recognised() {
    for (name, lines) in CASES {
        let is_lookup = name.starts_with("Gather from a table")
            || name.starts_with("Gather from dequantized")
            || name.starts_with("Gather of levels");
        let expected = match *name {
            "Gather by positions" => [2, 0, 0],
            _ if is_lookup => [2, 1, 0],
            name if name.starts_with("L2 normalization") => [1, 0, 1],
            "LpNormalization" => [1, 0, 1],
            _ => continue,
        };
        let encoder = load(&multivec_testing::notation::model(lines, 17), Engine::Tract)
            .expect("the graph runs");
        let GraphForm::Fused(fused) = encoder.info().graph else {
            panic!("{name}: {}", encoder.info().graph);
        };
        let found = [
            fused.embeddings,
            fused.quantized_embeddings,
            fused.l2_normalizations,
        ];
        assert_eq!(found, expected, "{name}");
        in_standard_operators_again(name, lines);
    }
}

/// What was recognised gives the same vectors in the operators of any library.
fn in_standard_operators_again(name: &str, lines: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    // From 18 on, axes are an input.
    let opsets: &[i64] = if lines.contains("axes=") {
        &[17]
    } else {
        &[17, 18]
    };
    for &opset in opsets {
        let model = multivec_testing::notation::model(lines, opset);
        std::fs::write(&path, &model).expect("it can be written");
        let (lowered, fused) = optimize_graph(&path).expect("a graph");
        assert!(fused.embeddings > 0, "{name}");
        let encode = |model: &[u8]| {
            let encoder = load_as(model, Engine::OnnxRuntime, Optimization::Off);
            let encoder = encoder.unwrap_or_else(|error| panic!("{name}: {error}"));
            encoder.encode_document("One text.").expect("it encodes")
        };
        let (expected, found) = (encode(&model), encode(&lowered));
        assert_eq!(expected.tokens(), found.tokens(), "{name}");
        for (&expected, &found) in expected.as_slice().iter().zip(found.as_slice()) {
            assert!(is_near(expected, found), "{name}: {expected} {found}");
        }
    }
}

#[test]
fn all_unknown_operators_are_named() {
    let lines = "a = Levitate(x)\n b = Hover(a)\n output = Add(x, b)";
    let error = load(&multivec_testing::notation::model(lines, 17), Engine::Tract)
        .expect_err("nobody knows them");
    assert_eq!(error.code(), "invalid_model");
    let message = error.to_string();
    assert!(message.contains("Hover, Levitate"), "{message}");
}
