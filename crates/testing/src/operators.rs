//! Operators in small graphs, see [`notation`](crate::notation).

use multivec_graph::onnx::{AttributeProto, GraphProto, NodeProto};

use crate::graphs::{FLOAT, lookup, model_of, node, value};

/// Every operator of the tract backend: a name, and lines that compute `output`
/// from `x`, floats of `[batch, length, 8]`. They may also use `p`, which is
/// `x` made positive, the inputs, and the constants of `notation`.
pub const CASES: &[(&str, &str)] = &[
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
        "Cast to booleans and integers",
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
        "Conv of columns",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, kernel) group=8 kernel_shape=[3] pads=[2,0]\n output = Transpose(b) perm=[0,2,1]",
    ),
    (
        "Conv between channels",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, mixing, row) pads=[1,0]\n output = Transpose(b) perm=[0,2,1]",
    ),
    (
        "Conv with zeros cut off",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, kernel) group=8 pads=[2,2]\n c = Shape(input_ids)\n d = Slice(c, one_list, two_list, zero_list)\n e = Slice(b, zero_list, d, last)\n output = Transpose(e) perm=[0,2,1]",
    ),
    (
        "Conv in steps",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, kernel, row) group=8 strides=[2] dilations=[2] pads=[3,2]\n c = ReduceMean(b) axes=[2]\n d = Transpose(c) perm=[0,2,1]\n output = Add(x, d)",
    ),
    (
        "Conv of the same size, more zeros after",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, mixing) auto_pad=SAME_UPPER\n output = Transpose(b) perm=[0,2,1]",
    ),
    (
        "Conv of the same size, more zeros before",
        "a = Transpose(x) perm=[0,2,1]\n b = Conv(a, mixing) auto_pad=SAME_LOWER\n output = Transpose(b) perm=[0,2,1]",
    ),
    (
        "Conv of a plane",
        "a = Unsqueeze(x, one_list)\n b = Conv(a, plane) pads=[1,0,1,2] strides=[1,2] dilations=[1,2]\n c = ReduceMean(b) axes=[1,3] keepdims=0\n d = Unsqueeze(c, last)\n output = Add(x, d)",
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
        "Gather of quantized rows",
        "a = Gather(table_u8, input_ids)\n b = DequantizeLinear(a, half, zero_u8)\n output = Add(x, b)",
    ),
    (
        "Gather of quantized rows by columns",
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
        "Gather of values and scales",
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
        "L2 normalization as torch exports it",
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
    ("Mean", "output = Mean(x, p, row)"),
    ("Mul and Neg", "a = Neg(x)\n output = Mul(a, row)"),
    (
        "NonZero and ScatterND",
        "a = Greater(x, half)\n b = NonZero(a)\n c = Transpose(b)\n d = GatherND(x, c)\n e = Neg(d)\n output = ScatterND(x, c, e)",
    ),
    (
        "NonZero of rows",
        "a = ReduceMax(x) axes=[2] keepdims=0\n b = Greater(a, half)\n c = NonZero(b)\n d = Transpose(c) perm=[1,0]\n e = GatherND(x, d)\n f = MatMul(e, square)\n output = ScatterND(p, d, f)",
    ),
    (
        "NonZero of a text each, flattened",
        "a = ReduceMax(x) axes=[1,2] keepdims=0\n b = Greater(a, one)\n c = NonZero(b)\n d = Transpose(c) perm=[1,0]\n e = GatherND(x, d)\n f = Unsqueeze(b, both)\n g = Shape(x)\n h = Expand(f, g)\n i = NonZero(h)\n j = Transpose(i) perm=[1,0]\n k = Reshape(e, minus)\n l = Shape(j)\n m = Gather(l, zero_i) axis=0\n n = Unsqueeze(m, zero_list)\n o = Slice(k, zero_list, n, zero_list)\n output = ScatterND(p, j, o)",
    ),
    (
        "Pad",
        "a = Pad(x, pads, half)\n b = Slice(a, zero_list, to_i, zero_list)\n c = ReduceSum(b, last)\n d = ReduceSum(c, axis1)\n output = Add(x, d)",
    ),
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
        "ScatterElements",
        "a = Cast(p) to=7\n b = Sub(a, a)\n c = Add(b, three)\n d = Slice(x, zero_list, one_list, last)\n e = Slice(c, zero_list, one_list, last)\n output = ScatterElements(x, e, d) axis=-1",
    ),
    (
        "ScatterElements that adds",
        "a = Cast(p) to=7\n b = Sub(a, a)\n c = Sub(b, three)\n output = ScatterElements(x, c, p) axis=-1 reduction=add",
    ),
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
    (
        "Slice to a constant",
        "a = Slice(x, one_list, four_list, axis1)\n b = ReduceSum(a, axis1)\n output = Add(x, b)",
    ),
    (
        "Slice of the last rows",
        "a = Slice(x, minus3, to_i, axis1)\n b = ReduceSum(a, axis1)\n output = Add(x, b)",
    ),
    (
        "Slice from minus a size",
        "a = Shape(input_ids)\n b = Slice(a, one_list, two_list, zero_list)\n c = Neg(b)\n d = Slice(positions, c, to_i, one_list)\n output = Add(x, d)",
    ),
    ("Softmax", "output = Softmax(x) axis=1"),
    ("Softplus", "a = Mul(x, middle_f)\n output = Softplus(a)"),
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

/// Cases that tract-onnx does not run, or not as the standard says.
pub const BEYOND_TRACT_ONNX: &[(&str, &str)] = &[
    (
        "Logical operators with masks that are the same everywhere",
        "a = Cast(one) to=9\n b = Shape(x)\n c = Expand(a, b)\n d = Greater(x, half)\n e = Or(d, a)\n f = ReduceMax(x) axes=[2]\n g = Less(f, one)\n h = And(g, e)\n i = And(c, g)\n j = Xor(h, i)\n k = Or(j, h)\n output = Where(k, x, p)",
    ),
    (
        "MatMul with a broadcast to more axes",
        "a = Shape(x) end=1\n b = Concat(a, one_list, one_list) axis=0\n c = Expand(square, b)\n output = MatMul(x, c)",
    ),
    (
        "NonZero of no element",
        "a = Greater(x, hundred)\n b = NonZero(a)\n c = Transpose(b)\n d = GatherND(p, c)\n e = Shape(c)\n f = Slice(e, zero_list, one_list)\n g = Slice(d, zero_list, f, zero_list)\n output = ScatterND(x, c, g)",
    ),
    (
        "MatMulNBits of 8 bits",
        "output = com.microsoft.MatMulNBits(x, square_8, row) K=8 N=8 bits=8 block_size=16 accuracy_level=1",
    ),
    (
        "MatMulNBits of 8 bits with zero points",
        "output = com.microsoft.MatMulNBits(x, square_8, row, row_u8) K=8 N=8 bits=8 block_size=16",
    ),
    (
        "MatMulNBits with zero points of floats and a bias",
        "output = com.microsoft.MatMulNBits(x, square_4, row, row, , row) K=8 N=8 bits=4 block_size=16 accuracy_level=1",
    ),
    (
        "MatMulNBits of several blocks",
        "a = Concat(x, p, x, x, p) axis=-1\n output = com.microsoft.MatMulNBits(a, odd_8, odd_scales, , , odd_bias) K=40 N=5 bits=8 block_size=16",
    ),
    (
        "Mod",
        "a = Cast(x) to=7\n b = Mod(a, three)\n c = Mod(x, half) fmod=1\n d = Cast(b) to=1\n output = Add(c, d)",
    ),
    (
        "Pad with the last",
        "a = Pad(x, pads) mode=edge\n b = CumSum(a, axis1)\n c = ReduceMean(b) axes=[1,2]\n output = Add(x, c)",
    ),
    (
        "Pad by reflection",
        "a = Pad(x, pads) mode=reflect\n b = CumSum(a, axis1)\n c = ReduceMean(b) axes=[1,2]\n output = Add(x, c)",
    ),
    (
        "Slice of two axes within bounds",
        "output = Slice(x, far_before, far_after, axes12)",
    ),
    (
        "Slice around the middle",
        "a = Shape(input_ids)\n b = Slice(a, one_list, two_list, zero_list)\n c = Sub(half_of_400, b)\n d = Add(half_of_400, b)\n e = Slice(positions, c, d, one_list)\n f = ReduceMean(e) axes=[1]\n g = Slice(e, zero_list, b, one_list)\n h = Add(x, f)\n output = Add(h, g)",
    ),
    ("Pad with zeros and cut off", "output = Pad(x, shift)"),
];

/// Operators that came after operator set 17, for set 20.
pub const LATER_CASES: &[(&str, &str)] = &[
    ("Gelu", "output = Gelu(x)"),
    ("Gelu by tanh", "output = Gelu(x) approximate=tanh"),
    ("ReduceMax by an input", "output = ReduceMax(x, last)"),
];

/// Forms of operators that later sets changed, for set 9.
pub const OLD_CASES: &[(&str, &str)] = &[
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
];

/// Operators that the tract backend has from tract-onnx alone.
pub struct FallbackCase {
    /// The operators, sorted.
    pub operators: &'static [&'static str],
    pub lines: &'static str,
}

pub const FALLBACK_CASES: &[FallbackCase] = &[
    FallbackCase {
        operators: &["Elu", "HardSwish"],
        lines: "a = Elu(x) alpha=0.5\n output = HardSwish(a)",
    },
    FallbackCase {
        operators: &["TopK"],
        lines: "a, b = TopK(x, two_list) axis=-1\n output = Concat(a, x) axis=-1",
    },
    FallbackCase {
        // It is not taken apart where the type of its input is not known.
        operators: &["Elu", "com.microsoft.SkipSimplifiedLayerNormalization"],
        lines: "a = Elu(x)\n output = com.microsoft.SkipSimplifiedLayerNormalization(a, p, row) epsilon=0.001",
    },
];

/// A graph whose branches read `x`, a value from outside of them.
pub fn branches() -> Vec<u8> {
    let branch = |name: &str, operator| {
        let graph = GraphProto {
            name: Some(name.to_owned()),
            node: vec![node(operator, &["x"], name)],
            output: vec![value(name, FLOAT, &["batch", "length", "dim"])],
            ..GraphProto::default()
        };
        AttributeProto {
            name: Some(name.to_owned()),
            g: Some(graph),
            // `AttributeProto.AttributeType`
            r#type: Some(5),
            ..AttributeProto::default()
        }
    };
    let mut graph = lookup(2050, 8);
    let choice = NodeProto {
        attribute: vec![branch("then_branch", "Neg"), branch("else_branch", "Exp")],
        ..node("If", &["condition"], "output")
    };
    graph.node = vec![
        node("Gather", &["table", "input_ids"], "x"),
        node("ReduceMax", &["x"], "largest"),
        node("Squeeze", &["largest"], "one"),
        node("IsNaN", &["one"], "condition"),
        choice,
    ];
    model_of(graph, 17)
}
