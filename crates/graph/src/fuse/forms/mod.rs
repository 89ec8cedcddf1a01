//! Forms in which exporters write what is fused, and near misses.

mod activations;
mod gates;
mod pooled;
mod rms_norms;

use std::collections::HashMap;

use super::{Fused, fuse};
use crate::graph::Graph;
use crate::node::{constant_node, floats_node, node};
use crate::onnx::{FLOAT, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};
use crate::operators::CONTRIB_DOMAIN;
use crate::testing;

/// Columns of `x`.
const WIDTH: usize = 8;

/// A graph of lines `y = Operator(a, b) key=value`. `x` is `[batch, length, 8]`;
/// numbers are constants; `w6`, `v6` and so on are weights with that many
/// columns, `b6` and so on are rows, `r8` is a row of `[1, 1, 8]`, `s4` the shape
/// `[-1, 4]`, `i2` the axis 2. The last value
/// is the output.
fn graph(lines: &str) -> Graph {
    let mut constants: HashMap<String, TensorProto> = HashMap::new();
    let mut nodes = vec![node("Gather", "", &["table", "input_ids"], &["x"])];
    constants.insert("table".to_owned(), drawn("table", &[11, WIDTH as i64]));
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let parsed = parse(line);
        for name in &parsed.input {
            if let Some(tensor) = constant(name) {
                constants.insert(name.clone(), tensor);
            }
        }
        nodes.push(parsed);
    }
    let output = nodes.last().map(|node| node.output[0].clone());
    let mut proto = testing::graph(
        &["input_ids", "attention_mask"],
        nodes,
        &[&output.expect("a node")],
    );
    proto.proto_mut().initializer = constants.into_values().collect();
    let model = ModelProto {
        opset_import: vec![OperatorSetIdProto {
            domain: None,
            version: Some(17),
        }],
        ..ModelProto::default()
    };
    Graph::from_parts(model, std::mem::take(proto.proto_mut()))
}

fn parse(line: &str) -> NodeProto {
    let (outputs, call) = line.split_once(" = ").expect("an assignment");
    let (operator, rest) = call.split_once('(').expect("a call");
    let (inputs, attributes) = rest.split_once(')').expect("operands");
    let names = |list: &str| -> Vec<String> {
        let names = list.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (inputs, outputs) = (names(inputs), names(outputs));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let (domain, operator) = match operator.strip_prefix("contrib.") {
        Some(operator) => (CONTRIB_DOMAIN, operator),
        None => ("", operator),
    };
    let made = node(operator, domain, &inputs, &outputs);
    attributes.split_whitespace().fold(made, |node, attribute| {
        let (name, value) = attribute.split_once('=').expect("an attribute");
        if name == "axes" || value.contains(';') {
            let values = value.split(';').map(str::parse);
            let values: Vec<i64> = values.map(|value| value.expect("a number")).collect();
            node.with_ints(name, &values)
        } else if let Ok(value) = value.parse() {
            node.with_int(name, value)
        } else {
            node.with_float(name, value.parse().expect("a number"))
        }
    })
}

/// The constant that a name stands for.
fn constant(name: &str) -> Option<TensorProto> {
    if let Ok(value) = name.parse() {
        return Some(TensorProto {
            name: Some(name.to_owned()),
            data_type: Some(FLOAT),
            float_data: vec![value],
            ..TensorProto::default()
        });
    }
    let columns: i64 = name.get(1..)?.parse().ok()?;
    match name.get(..1)? {
        "w" | "v" => Some(drawn(name, &[WIDTH as i64, columns])),
        "b" => Some(drawn(name, &[columns])),
        "r" => Some(drawn(name, &[1, 1, columns])),
        "i" => {
            let mut tensor = constant_node(name, &[columns])
                .attribute("value")?
                .t
                .clone()?;
            tensor.name = Some(name.to_owned());
            Some(tensor)
        }
        "s" => {
            let sizes = constant_node(name, &[-1, columns]);
            let mut tensor = sizes.attribute("value")?.t.clone()?;
            tensor.name = Some(name.to_owned());
            Some(tensor)
        }
        _ => None,
    }
}

fn drawn(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>() as usize;
    let values: Vec<f32> = (0..count).map(|at| (at as f32 * 0.7).sin() + 1.5).collect();
    let made = floats_node(name, &values);
    let tensor = made.attribute("value").and_then(|value| value.t.clone());
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        ..tensor.expect("a tensor")
    }
}

/// A graph after fusing.
struct Result {
    fused: Fused,
    graph: Graph,
}

impl Result {
    fn of(lines: &str) -> Self {
        let mut graph = graph(lines);
        let fused = fuse(&mut graph);
        Self { fused, graph }
    }

    /// The only node of an operator of ours.
    fn only(&self, operator: &str) -> &NodeProto {
        let mut found = self
            .graph
            .nodes()
            .iter()
            .filter(|node| node.is_ours(operator));
        let first = found.next();
        assert!(found.next().is_none(), "one {operator}");
        first.unwrap_or_else(|| panic!("expected {operator}, found {:?}", self.graph.nodes()))
    }
}
