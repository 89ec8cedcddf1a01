//! Small graphs as text, one node per line: `y, z = Operator(a, b) key=value`.
//! Operators outside of the standard have their domain and a dot in front.

use multivec_graph::onnx::{AttributeProto, GraphProto, NodeProto, TensorProto};

use crate::graphs::{FLOAT, INT64, lookup, model_of, node, tensor, value};

/// Tokens of the tokenizer that tests use with these graphs.
const VOCABULARY: usize = 2050;
const DIM: usize = 8;

/// A model that applies the nodes in `lines` to rows of an embedding table.
pub fn model(lines: &str, opset: i64) -> Vec<u8> {
    let mut graph = lookup(VOCABULARY, DIM);
    let values = (0..VOCABULARY * DIM).map(|at| ((at * at) as f32 * 0.37).sin() * 3.);
    graph.initializer = constants();
    graph.initializer.push(tensor(
        "table",
        &[VOCABULARY as i64, DIM as i64],
        values.collect(),
    ));
    graph.node = vec![
        node("Gather", &["table", "input_ids"], "x"),
        node("Abs", &["x"], "magnitude"),
        node("Add", &["magnitude", "half"], "p"),
    ];
    graph.node.extend(
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(parse),
    );
    drop_unused(&mut graph);
    // An engine may infer another rank for an output that is named here.
    graph.output = vec![value("output", FLOAT, &["batch", "length", "dim"])];
    model_of(graph, opset)
}

/// Constants by name; rows have one value for each column of `x`.
fn constants() -> Vec<TensorProto> {
    let scalar = |name, value| tensor(name, &[], vec![value]);
    let row = || (1..=DIM).map(|at| at as f32 * 0.25);
    let square = || (0..DIM * DIM).map(|at| ((at as f32) * 0.7).cos());
    let list = |name, values: &[i64]| integers(name, &[values.len() as i64], values);
    vec![
        scalar("zero", 0.),
        scalar("half", 0.5),
        scalar("one", 1.),
        scalar("two", 2.),
        scalar("tiny", 1e-12),
        scalar("tenth", 0.1),
        scalar("hundred", 100.),
        scalar("root_two", std::f32::consts::SQRT_2),
        tensor("row", &[DIM as i64], row().collect()),
        tensor("square", &[DIM as i64, DIM as i64], square().collect()),
        tensor(
            "square_t",
            &[DIM as i64, DIM as i64],
            square().map(|value| 0.5 - value).collect(),
        ),
        tensor("two_floats", &[2], vec![0.7, 0.2]),
        tensor(
            "positions",
            &[1, 512, 1],
            (0..512).map(|at| at as f32).collect(),
        ),
        tensor(
            "kernel",
            &[DIM as i64, 1, 3],
            (0..DIM * 3).map(|at| (at as f32 * 1.3).sin()).collect(),
        ),
        tensor(
            "mixing",
            &[DIM as i64, DIM as i64, 2],
            (0..DIM * DIM * 2)
                .map(|at| (at as f32 * 0.9).sin())
                .collect(),
        ),
        tensor(
            "plane",
            &[2, 1, 3, 3],
            (0..18).map(|at| (at as f32 * 2.1).sin()).collect(),
        ),
        scalar("middle_f", 200.),
        bytes("zero_u8", 2, &[], &[3]),
        bytes("zero_i8", 3, &[], &[2]),
        bytes("row_u8", 2, &[DIM as i64], &[0, 1, 2, 3, 4, 5, 6, 7]),
        bytes("row_i8", 3, &[DIM as i64], &[0, 1, 255, 3, 254, 5, 6, 7]),
        bytes(
            "square_i8",
            3,
            &[DIM as i64, DIM as i64],
            &square()
                .map(|value| (value * 90.) as i8 as u8)
                .collect::<Vec<_>>(),
        ),
        bytes(
            "table_u8",
            2,
            &[VOCABULARY as i64, DIM as i64],
            &quantized(DIM),
        ),
        bytes(
            "table_i8",
            3,
            &[VOCABULARY as i64, DIM as i64],
            &quantized(DIM),
        ),
        bytes("rows_of_zeros", 3, &[VOCABULARY as i64], &quantized(1)),
        tensor("rows_of_scales", &[VOCABULARY as i64], scales()),
        tensor("column_of_scales", &[VOCABULARY as i64, 1], scales()),
        // One block of 16 per column, half of it used.
        bytes(
            "square_4",
            2,
            &[DIM as i64, 1, 8],
            &(0..64u32).map(|at| (at * 29 + 3) as u8).collect::<Vec<_>>(),
        ),
        bytes(
            "square_8",
            2,
            &[DIM as i64, 1, 16],
            &quantized(16)[..DIM * 16],
        ),
        // Three blocks of 16 per column, the last half used.
        bytes("odd_8", 2, &[5, 3, 16], &quantized(16)[..5 * 3 * 16]),
        tensor("odd_scales", &[5, 3], scales()[..15].to_vec()),
        tensor("odd_bias", &[5], scales()[..5].to_vec()),
        integers("zero_i", &[], &[0]),
        integers("one_i", &[], &[1]),
        integers("three", &[], &[3]),
        integers("last_i", &[], &[-1]),
        list("axis1", &[1]),
        list("last", &[2]),
        list("last_of_one", &[1]),
        list("zero_list", &[0]),
        list("one_list", &[1]),
        list("two_list", &[2]),
        list("four_list", &[4]),
        list("both", &[1, 2]),
        list("axes12", &[1, -1]),
        list("half_of_400", &[200]),
        list("minus3", &[-3]),
        list("far_before", &[-500, -500]),
        list("far_after", &[500, 500]),
        list("pads", &[0, 2, 1, 0, 1, 3]),
        list("shift", &[0, 2, 0, 0, -2, 0]),
        list("places", &[7, 0, 3]),
        list("places_4", &[7, 0, 3, 5]),
        list("places_14", &[7, 0, 3, 5, 1, 2, 4, 6, 6, 1, 0, 2, 3, 7]),
        list("places_512", &[512]),
        list("middle", &[1, 2]),
        list("last_two", &[1, 2]),
        list("heads_first", &[2, 1, 1]),
        list("heads_of_4", &[0, 0, 2, 4]),
        list("minus", &[-1]),
        list("from_i", &[2]),
        list("to_i", &[i64::MAX]),
        list("to_start", &[i64::MIN]),
        list("back", &[-1]),
        list("rows", &[-1, DIM as i64]),
        list("heads", &[0, 0, 4, -1]),
        list("merged", &[0, 0, DIM as i64]),
        list("parts", &[3, 5]),
        list("thrice", &[1, 1, 3]),
    ]
}

fn quantized(columns: usize) -> Vec<u8> {
    let values = 0..VOCABULARY * columns;
    values.map(|at| (at * 31 + at / 5) as u8).collect()
}

fn scales() -> Vec<f32> {
    let scales = 0..VOCABULARY;
    scales.map(|at| (at % 9 + 1) as f32 * 0.01).collect()
}

fn integers(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(INT64),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn bytes(name: &str, data_type: i32, dims: &[i64], values: &[u8]) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(data_type),
        raw_data: Some(values.to_vec().into()),
        ..TensorProto::default()
    }
}

fn parse(line: &str) -> NodeProto {
    let (outputs, call) = line.split_once(" = ").expect("outputs and a call");
    let (operator, rest) = call.split_once('(').expect("inputs");
    let (inputs, attributes) = rest.split_once(')').expect("the end of the inputs");
    let names = |list: &str| -> Vec<String> {
        match list.trim() {
            "" => Vec::new(),
            list => list.split(',').map(|name| name.trim().to_owned()).collect(),
        }
    };
    let (domain, operator) = operator.rsplit_once('.').unwrap_or(("", operator));
    NodeProto {
        domain: Some(domain.to_owned()),
        input: names(inputs),
        output: names(outputs),
        name: Some(format!("node of {outputs}")),
        op_type: Some(operator.to_owned()),
        attribute: attributes.split_whitespace().map(attribute).collect(),
        ..NodeProto::default()
    }
}

/// Integers, floats with a point, lists in brackets, and text.
fn attribute(text: &str) -> AttributeProto {
    let (name, value) = text.split_once('=').expect("a name and a value");
    let mut attribute = AttributeProto {
        name: Some(name.to_owned()),
        ..AttributeProto::default()
    };
    // `AttributeProto.AttributeType`
    let kind = if let Some(list) = value.strip_prefix('[') {
        let items: Vec<&str> = list.trim_end_matches(']').split(',').collect();
        if list.contains('.') {
            attribute.floats = items.iter().filter_map(|item| item.parse().ok()).collect();
            6
        } else {
            attribute.ints = items.iter().filter_map(|item| item.parse().ok()).collect();
            7
        }
    } else if let Ok(value) = value.parse() {
        attribute.i = Some(value);
        2
    } else if let Ok(value) = value.parse() {
        attribute.f = Some(value);
        1
    } else {
        attribute.s = Some(value.as_bytes().to_vec().into());
        3
    };
    attribute.r#type = Some(kind);
    attribute
}

/// ONNX Runtime warns about unused constants.
fn drop_unused(graph: &mut GraphProto) {
    let read: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.input.clone())
        .collect();
    graph
        .initializer
        .retain(|tensor| tensor.name.as_ref().is_some_and(|name| read.contains(name)));
}
