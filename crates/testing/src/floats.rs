//! An FP32 model from an INT8 model.

use std::collections::{HashMap, HashSet};

use multivec_graph::Graph;
use multivec_graph::onnx::{FLOAT, NodeProto, TensorProto};

/// Replaces products with 8-bit weights, as `multivec quantize` writes them, by
/// products of floats.
pub fn in_floats(model: Vec<u8>) -> Vec<u8> {
    let mut graph = Graph::parse("model", model.into()).expect("a model");
    let links = Links::new(&graph);
    let mut products = HashMap::new();
    let mut tensors = Vec::new();
    let mut replaced = HashSet::new();
    for product in graph.nodes().iter().filter(|node| node.is("MatMulInteger")) {
        let quantize = &links.producers[&product.input[0]];
        let cast = &links.readers[&product.output[0]];
        let scaled = &links.readers[&cast.output[0]];
        let factor = &links.producers[other(scaled, &cast.output[0])];
        let scales = other(factor, &quantize.output[1]);
        let zeros = product.input.get(3).map(|name| graph.initializer(name));
        let weights = graph.initializer(&product.input[1]).expect("weights");
        let scales = graph.initializer(scales).expect("scales");
        let tensor = dequantized(weights, scales, zeros.flatten());
        let node = NodeProto {
            op_type: Some("MatMul".to_owned()),
            input: vec![
                quantize.input[0].clone(),
                tensor.name.clone().expect("named"),
            ],
            output: scaled.output.clone(),
            name: scaled.name.clone(),
            ..NodeProto::default()
        };
        replaced.extend([&product.output[0], &cast.output[0]].map(String::clone));
        products.insert(scaled.output[0].clone(), node);
        tensors.push(tensor);
    }
    assert!(products.len() > 10);
    let proto = graph.proto_mut();
    proto.initializer.retain(|tensor| {
        let name = tensor.name.as_deref().unwrap_or_default();
        tensors
            .iter()
            .all(|floats| floats.name.as_deref() != Some(&format!("{name} in floats")))
    });
    proto.initializer.extend(tensors);
    proto
        .node
        .retain(|node| !replaced.contains(&node.output[0]));
    for node in &mut proto.node {
        if let Some(product) = products.remove(&node.output[0]) {
            *node = product;
        }
    }
    graph.remove_dead_nodes();
    graph.into_bytes()
}

/// The node that computes each value, and the last that reads it.
struct Links {
    producers: HashMap<String, NodeProto>,
    readers: HashMap<String, NodeProto>,
}

impl Links {
    fn new(graph: &Graph) -> Self {
        let nodes = || graph.nodes().iter();
        let names = |node: &NodeProto, names: &[String]| {
            let pairs = names.iter().map(|name| (name.clone(), node.clone()));
            pairs.collect::<Vec<_>>()
        };
        Self {
            producers: nodes().flat_map(|node| names(node, &node.output)).collect(),
            readers: nodes().flat_map(|node| names(node, &node.input)).collect(),
        }
    }
}

/// The input that is not `one`.
fn other<'n>(node: &'n NodeProto, one: &str) -> &'n String {
    let mut inputs = node.input.iter();
    inputs.find(|name| *name != one).expect("another input")
}

/// `(weights - zeros) * scales` by column, `[inner, outer]`.
fn dequantized(
    weights: &TensorProto,
    scales: &TensorProto,
    zeros: Option<&TensorProto>,
) -> TensorProto {
    let raw = |tensor: &TensorProto| tensor.raw_data.clone().expect("bytes");
    let scales: Vec<f32> = raw(scales)
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect();
    let zeros = zeros.map_or(vec![0], |zeros| raw(zeros).to_vec());
    let columns = weights.dims[1] as usize;
    let floats = raw(weights)
        .into_iter()
        .enumerate()
        .flat_map(|(at, value)| {
            let column = at % columns;
            let zero = zeros[column % zeros.len()] as i8;
            let weight = f32::from(value as i8) - f32::from(zero);
            (weight * scales[column % scales.len()]).to_le_bytes()
        });
    TensorProto {
        name: weights
            .name
            .as_ref()
            .map(|name| format!("{name} in floats")),
        dims: weights.dims.clone(),
        data_type: Some(FLOAT),
        raw_data: Some(floats.collect::<Vec<u8>>().into()),
        ..TensorProto::default()
    }
}
