//! Forms of attention that are fused, and those that look like one and are not,
//! on both engines and with operators of any library.

use multivec::{
    Encoder, EncoderBuilder, Engine, Fused, GraphForm, Normalization, Optimization, optimize_graph,
};
use multivec_testing::models::with_graph;
use multivec_testing::notation;

const TEXTS: [&str; 3] = [
    "One text.",
    "Another, rather longer text about nothing, which has more tokens than the others have.",
    "",
];

/// Queries, keys and values of 4 heads, the product of the first two, and the
/// difference of the positions of keys and queries.
const HEADS: &str = "
    q_rows = Reshape(x, heads)
    q = Transpose(q_rows) perm=[0,2,1,3]
    k_rows = Reshape(p, heads)
    k = Transpose(k_rows) perm=[0,2,1,3]
    v_rows = Reshape(x, heads)
    v = Transpose(v_rows) perm=[0,2,1,3]
";
const POSITIONS: &str = "
    axes = Constant() value_ints=[1,2]
    tokens = Cast(attention_mask) to=9
    is_token = Unsqueeze(tokens, axes)
    sizes = Shape(x)
    count = Gather(sizes, one_i) axis=0
    keys = Range(zero_i, count, one_i)
    queries = Unsqueeze(keys, axis1)
    distance = Sub(keys, queries)
    low = Constant() value_float=-1e9
";
const PRODUCT: &str = "
    k_columns = Transpose(k) perm=[0,1,3,2]
    products = MatMul(q, k_columns)
    scores = Mul(products, half)
";
const CONTEXT: &str = "
    weights = Softmax(s) axis=-1
    context = MatMul(weights, v)
    context_rows = Transpose(context) perm=[0,2,1,3]
    output = Reshape(context_rows, merged)
";
/// Heads of keys and values that are read by two of queries each.
const GROUPED: &str = "
    four = Constant() value_ints=[4]
    key_heads = Constant() value_ints=[0,0,2,2]
    q_rows = Reshape(x, heads)
    q = Transpose(q_rows) perm=[0,2,1,3]
    k_part = Slice(p, zero_list, four, two_list)
    k_rows = Reshape(k_part, key_heads)
    k_few = Transpose(k_rows) perm=[0,2,1,3]
    v_part = Slice(x, four, to_i, two_list)
    v_rows = Reshape(v_part, key_heads)
    v_few = Transpose(v_rows) perm=[0,2,1,3]
";
const HIDDEN: &str = "s = Where(is_token, scores, low)";
/// RMS normalization of the heads of queries over an axis.
const NORM: &str = "
    squares = Mul(q, q)
    mean = ReduceMean(squares) axes=[AXIS] keepdims=1
    epsilon = Constant() value_float=0.01
    sum = Add(mean, epsilon)
    root = Sqrt(sum)
    normal = Div(q, root)
    factors = Constant() value_floats=[0.5,1.5]
    scaled = Mul(normal, factors)
    k_columns = Transpose(k) perm=[0,1,3,2]
    scores = MatMul(scaled, k_columns)
";

fn load(model: &[u8], engine: Engine, form: Optimization) -> Encoder {
    EncoderBuilder::from_bytes(with_graph(model))
        .with_engine(engine)
        .with_normalization(Normalization::Off)
        .with_optimization(form)
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn encode(encoder: &Encoder) -> Vec<f32> {
    let found = encoder.encode_documents(&TEXTS).expect("they encode");
    found
        .iter()
        .flat_map(|text| text.as_slice().to_vec())
        .collect()
}

fn distance(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let pairs = one.iter().zip(other);
    pairs
        .map(|(one, other)| (one - other).abs())
        .fold(0., f32::max)
}

/// What is fused, and how far vectors are from those of plain ONNX Runtime.
fn check(name: &str, parts: &[&str]) -> Fused {
    check_in(17, name, parts)
}

/// As [`check`], in another operator set.
fn check_in(opset: i64, name: &str, parts: &[&str]) -> Fused {
    let model = notation::model(&parts.concat(), opset);
    let expected = encode(&load(&model, Engine::OnnxRuntime, Optimization::Off));
    let mut engines = vec![Engine::OnnxRuntime];
    engines.extend(cfg!(feature = "tract").then_some(Engine::Tract));
    for engine in engines {
        let encoder = load(&model, engine, Optimization::Checked);
        let form = encoder.info().graph;
        assert!(!matches!(form, GraphForm::Refused { .. }), "{name}: {form}");
        let distance = distance(&expected, &encode(&encoder));
        assert!(distance < 1e-5, "{name}, {engine:?}: {distance}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, &model).expect("it can be written");
    let (lowered, fused) = optimize_graph(&path).expect("a graph");
    let found = encode(&load(&lowered, Engine::OnnxRuntime, Optimization::Off));
    let distance = distance(&expected, &found);
    assert!(distance < 1e-5, "{name}, lowered: {distance}");
    fused
}

#[test]
fn masks_and_biases() {
    // Attentions, and those that are windowed, causal and with a bias.
    for (name, changes, expected) in [
        ("none", "s = Identity(scores)", [1, 0, 0, 0]),
        ("padding", HIDDEN, [1, 0, 0, 0]),
        (
            "causal",
            "is_before = LessOrEqual(distance, zero_i)
             is_seen = And(is_token, is_before)
             s = Where(is_seen, scores, low)",
            [1, 0, 1, 0],
        ),
        (
            "causal by a triangle",
            "square_sizes = Concat(n, n) axis=0
             n = Unsqueeze(count, zero_list)
             ones = ConstantOfShape(square_sizes)
             lows = Add(ones, low)
             one_above = Identity(one_i)
             mask = Trilu(lows, one_above) upper=1
             s = Add(scores, mask)",
            [1, 0, 1, 0],
        ),
        (
            "causal by an assignment",
            "n = Unsqueeze(count, zero_list)
             square_sizes = Concat(n, n) axis=0
             nothing = ConstantOfShape(square_sizes)
             rows_of_pairs = Expand(queries, square_sizes)
             columns_of_pairs = Expand(keys, square_sizes)
             row_of_pair = Unsqueeze(rows_of_pairs, last)
             column_of_pair = Unsqueeze(columns_of_pairs, last)
             pairs = Concat(row_of_pair, column_of_pair) axis=-1
             is_after = Greater(distance, zero_i)
             hidden = Where(is_after, low, nothing)
             mask = ScatterND(nothing, pairs, hidden)
             s = Add(scores, mask)",
            [1, 0, 1, 0],
        ),
        (
            "one side of a window",
            "near = GreaterOrEqual(distance, minus_two)
             minus_two = Constant() value_int=-2
             before = LessOrEqual(distance, zero_i)
             pairs = And(near, before)
             is_seen = And(is_token, pairs)
             s = Where(is_seen, scores, low)",
            [1, 1, 1, 0],
        ),
        (
            "a window of other sides",
            "far = Constant() value_int=-3
             near = Greater(distance, far)
             after = LessOrEqual(distance, one_i)
             pairs = And(near, after)
             is_seen = And(is_token, pairs)
             s = Where(is_seen, scores, low)",
            [1, 1, 0, 0],
        ),
        (
            "a window of thousands",
            "far = Constant() value_int=-4096
             near = Greater(distance, far)
             before = LessOrEqual(distance, zero_i)
             pairs = And(near, before)
             is_seen = And(is_token, pairs)
             s = Where(is_seen, scores, low)",
            [1, 1, 1, 0],
        ),
        (
            "blocks",
            "two_i = Constant() value_int=2
             block = Div(keys, two_i)
             other = Unsqueeze(block, axis1)
             is_same = Equal(block, other)
             is_seen = And(is_token, is_same)
             s = Where(is_seen, scores, low)",
            [0, 0, 0, 0],
        ),
        (
            "distances",
            "far = Abs(distance)
             floats = Cast(far) to=1
             slopes = Constant() value_floats=[-0.5,-0.25,-0.125,-0.0625]
             slope_axes = Constant() value_ints=[1,2]
             of_heads = Unsqueeze(slopes, slope_axes)
             bias = Mul(of_heads, floats)
             biased = Add(scores, bias)
             s = Where(is_token, biased, low)",
            [1, 0, 0, 1],
        ),
        (
            "positions of keys",
            "floats = Cast(keys) to=1
             bias = Mul(floats, half)
             none = Sub(one, one)
             mask = Where(is_token, none, low)
             sum = Add(bias, mask)
             s = Add(scores, sum)",
            [1, 0, 0, 1],
        ),
        (
            "distances before a causal mask",
            "floats = Cast(distance) to=1
             before = LessOrEqual(distance, zero_i)
             is_seen = And(is_token, before)
             mask = Where(is_seen, floats, low)
             s = Add(scores, mask)",
            [1, 0, 1, 1],
        ),
        (
            "a bias by the texts",
            "norms = ReduceSum(x, last) keepdims=1
             turned = Transpose(norms) perm=[0,2,1]
             of_keys = Unsqueeze(turned, axis1)
             biased = Add(scores, of_keys)
             s = Where(is_token, biased, low)",
            [0, 0, 0, 0],
        ),
        (
            "a bias by the mask",
            "counted = CumSum(attention_mask, one_i)
             floats = Cast(counted) to=1
             of_keys = Unsqueeze(floats, axes)
             biased = Add(scores, of_keys)
             s = Where(is_token, biased, low)",
            [0, 0, 0, 0],
        ),
        (
            "a mask of the queries",
            "is_query = Unsqueeze(tokens, axes_of_queries)
             axes_of_queries = Constant() value_ints=[1,3]
             s = Where(is_query, scores, low)",
            [0, 0, 0, 0],
        ),
        (
            "a cap",
            "part = Div(scores, two)
             curve = Tanh(part)
             capped = Mul(curve, two)
             s = Where(is_token, capped, low)",
            [1, 0, 0, 0],
        ),
        (
            "a cap of what is masked",
            "masked = Where(is_token, scores, low)
             curve = Tanh(masked)
             s = Mul(curve, two)",
            [0, 0, 0, 0],
        ),
    ] {
        let fused = check(
            name,
            &[HEADS, POSITIONS, PRODUCT, &sorted(changes), CONTEXT],
        );
        let found = [fused.attentions, fused.windowed, fused.causal, fused.biased];
        assert_eq!(found, expected, "{name}");
    }
}

/// Constants first, since nodes have to be in order.
fn sorted(lines: &str) -> String {
    let is_first = |line: &&str| line.contains("Constant()") || line.contains(", zero_list)");
    let (first, rest): (Vec<&str>, Vec<&str>) = lines.lines().partition(is_first);
    format!("{}\n{}\n", first.join("\n"), rest.join("\n"))
}

#[test]
fn heads_of_keys() {
    let expand = |x: &str| {
        format!(
            "{x}_alone = Unsqueeze({x}_few, two_list)
             {x}_pairs = Expand({x}_alone, pair)
             {x} = Reshape({x}_pairs, all_heads)\n"
        )
    };
    let shapes = "
        pair = Constant() value_ints=[1,1,2,1,1]
        all_heads = Constant() value_ints=[0,4,-1,2]
    ";
    let expanded = [shapes, &expand("k"), &expand("v")].concat();
    let gathered = |places: &str, of_values: &str| {
        format!(
            "places_of_keys = Constant() value_ints={places}
             places_of_values = Constant() value_ints={of_values}
             k = Gather(k_few, places_of_keys) axis=1
             v = Gather(v_few, places_of_values) axis=1\n"
        )
    };
    let tiled = "
        times = Constant() value_ints=[1,2,1,1]
        k = Tile(k_few, times)
        v = Tile(v_few, times)
    ";
    for (name, repeated, expected) in [
        ("expanded", expanded, 1),
        ("gathered", gathered("[0,0,1,1]", "[0,0,1,1]"), 1),
        ("one after the other", tiled.to_owned(), 0),
        ("unequal", gathered("[0,0,0,1]", "[0,0,0,1]"), 0),
        ("others for values", gathered("[0,0,1,1]", "[0,1,0,1]"), 0),
        ("exchanged", gathered("[1,1,0,0]", "[1,1,0,0]"), 0),
    ] {
        let parts = [
            GROUPED, POSITIONS, &repeated, PRODUCT, HIDDEN, "\n", CONTEXT,
        ];
        let fused = check(name, &parts);
        assert_eq!([fused.attentions, fused.grouped], [expected; 2], "{name}");
    }
}

#[test]
fn norms_of_heads() {
    for (axis, expected) in [("-1", 1), ("1", 0), ("2", 0)] {
        let norm = NORM.replace("AXIS", axis);
        let fused = check(axis, &[HEADS, POSITIONS, &norm, HIDDEN, "\n", CONTEXT]);
        let found = [fused.attentions, fused.head_norms];
        assert_eq!(found, [expected; 2], "axis {axis}");
    }
}

#[test]
fn norms_of_heads_by_name() {
    for (axis, expected) in [("-1", 1), ("3", 1), ("2", 0)] {
        let norm = format!(
            "
            factors = Constant() value_floats=[0.5,1.5]
            scaled = RMSNormalization(q, factors) axis={axis} epsilon=0.01
            k_columns = Transpose(k) perm=[0,1,3,2]
            scores = MatMul(scaled, k_columns)
            "
        );
        let parts = [HEADS, POSITIONS, &norm, HIDDEN, "\n", CONTEXT];
        let fused = check_in(23, axis, &parts);
        let found = [fused.attentions, fused.head_norms];
        assert_eq!(found, [expected; 2], "axis {axis}");
    }
}

/// Rotary embedding of some columns of each head.
#[test]
fn a_part_of_each_head_is_rotated() {
    let heads = "
        two_heads = Constant() value_ints=[0,0,2,4]
        q_rows = Reshape(x, two_heads)
        q = Transpose(q_rows) perm=[0,2,1,3]
        k_rows = Reshape(p, two_heads)
        k = Transpose(k_rows) perm=[0,2,1,3]
        v_rows = Reshape(x, two_heads)
        v = Transpose(v_rows) perm=[0,2,1,3]
    ";
    let angles = "
        turns = Cast(keys) to=1
        angle = Unsqueeze(turns, axis1)
        cos = Cos(angle)
        sin = Sin(angle)
    ";
    let rotated = |x: &str, parts: &str, order: &str| {
        let (sizes, split) = parts.split_once(' ').expect("sizes and names");
        let lines = format!(
            "X_sizes = Constant() value_ints={sizes}
             {split} = Split(X, X_sizes) axis=-1
             X_a = Mul(X_left, cos)
             X_b = Mul(X_right, sin)
             X_lefts = Sub(X_a, X_b)
             X_c = Mul(X_right, cos)
             X_d = Mul(X_left, sin)
             X_rights = Add(X_c, X_d)
             X_rotated = Concat({order}) axis=-1\n"
        );
        lines.replace('X', x)
    };
    let product = "
        k_columns = Transpose(k_rotated) perm=[0,1,3,2]
        scores = MatMul(q_rotated, k_columns)
    ";
    let first = "[1,1,2] X_left, X_right, X_rest";
    let last = "[2,1,1] X_rest, X_left, X_right";
    for (parts, order, expected) in [
        (first, "X_lefts, X_rights, X_rest", 1),
        (last, "X_rest, X_lefts, X_rights", 0),
        (first, "X_rights, X_lefts, X_rest", 0),
    ] {
        let rotations = ["q", "k"].map(|x| rotated(x, parts, order)).concat();
        let nodes = [
            heads, POSITIONS, angles, &rotations, product, HIDDEN, "\n", CONTEXT,
        ];
        let fused = check(&format!("{parts}: {order}"), &nodes);
        assert_eq!([fused.attentions, fused.rotary], [expected; 2], "{order}");
    }
}

#[test]
fn heads_of_queries_keys_and_values_take_turns() {
    let rows = "
        turns = Constant() value_ints=[0,0,4,6]
        thirds = Constant() value_ints=[2,2,2]
        backwards = Constant() value_ints=[3,2,1,0]
        all = Concat(x, p, x) axis=-1
        split = Reshape(all, turns)
        each = Transpose(split) perm=[0,2,1,3]
    ";
    for (heads, expected) in [
        ("q, k, v = Split(each, thirds) axis=-1\n", 1),
        (
            "q_all, k, v = Split(each, thirds) axis=-1
             q = Gather(q_all, backwards) axis=1\n",
            0,
        ),
    ] {
        let nodes = [rows, heads, POSITIONS, PRODUCT, HIDDEN, "\n", CONTEXT];
        assert_eq!(check(heads, &nodes).attentions, expected, "{heads}");
    }
}

#[test]
fn values_of_another_width() {
    let values = "
        wide = Concat(x, p) axis=-1
        v_rows = Reshape(wide, heads)
        v = Transpose(v_rows) perm=[0,2,1,3]
    ";
    let heads = HEADS.split("v_rows").next().expect("queries and keys");
    let context = CONTEXT.replace("merged", "wide_rows");
    let shape = "wide_rows = Constant() value_ints=[0,0,16]\n";
    let parts = [
        heads, values, POSITIONS, PRODUCT, HIDDEN, "\n", shape, &context,
    ];
    assert_eq!(check("wide values", &parts).attentions, 0);
}
