//! Graphs in half precision.

use crate::external::{ExternalLocation, StoredType};
use crate::graph::Graph;
use crate::onnx::{AttributeProto, BFLOAT16, FLOAT, FLOAT16, GraphProto, NodeProto, TensorProto};

/// Makes a graph compute in 32-bit floats where it computes in 16 bits. Weights
/// stay as they are stored, and are widened when they are read.
///
/// CPUs have no arithmetic for halves that is as fast, and what overflows in
/// them does not overflow in 32 bits. Tensors in external files refer to them as
/// before, with the [`StoredType`] that engines' own readers do not know.
pub fn widen_half_precision(graph: &mut Graph) -> bool {
    widen_graph(graph.proto_mut())
}

fn widen_graph(graph: &mut GraphProto) -> bool {
    let mut is_changed = false;
    for tensor in &mut graph.initializer {
        is_changed |= widen_tensor(tensor);
    }
    for node in &mut graph.node {
        is_changed |= widen_node(node);
    }
    if is_changed {
        // They state the types of inner values as they were.
        graph.value_info.clear();
    }
    is_changed
}

fn widen_node(node: &mut NodeProto) -> bool {
    let mut is_changed = false;
    // What names a type of its output.
    let names = ["to", "dtype", "output_dtype", "stash_type"];
    for attribute in &mut node.attribute {
        let AttributeProto {
            name,
            i,
            t,
            tensors,
            g,
            graphs,
            ..
        } = attribute;
        let names_type = name.as_deref().is_some_and(|name| names.contains(&name));
        if let Some(kind) = i.as_mut().filter(|kind| names_type && is_half(**kind)) {
            *kind = i64::from(FLOAT);
            is_changed = true;
        }
        for tensor in t.iter_mut().chain(tensors) {
            is_changed |= widen_tensor(tensor);
        }
        for graph in g.iter_mut().chain(graphs) {
            is_changed |= widen_graph(graph);
        }
    }
    is_changed
}

fn is_half(kind: i64) -> bool {
    kind == i64::from(FLOAT16) || kind == i64::from(BFLOAT16)
}

fn widen_tensor(tensor: &mut TensorProto) -> bool {
    let stored = match tensor.data_type {
        Some(FLOAT16) => StoredType::Float16,
        Some(BFLOAT16) => StoredType::BFloat16,
        _ => return false,
    };
    if let Some(location) = ExternalLocation::of(tensor) {
        let (file, offset, length) = (location.file.to_owned(), location.offset, location.length);
        let location = ExternalLocation {
            file: &file,
            offset,
            length,
            stored,
        };
        location.write_to(tensor);
    } else if let Some(raw) = tensor.raw_data.take() {
        tensor.raw_data = Some(stored.widen(raw));
    } else {
        // ONNX keeps the bits of each half in a field of 32.
        let bits = tensor.int32_data.drain(..);
        let bytes: Vec<u8> = bits.flat_map(|bits| (bits as u16).to_le_bytes()).collect();
        stored.read_floats(&bytes, &mut tensor.float_data);
    }
    tensor.data_type = Some(FLOAT);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::external::widen_stored;
    use crate::testing::{graph, node};

    fn half(name: &str) -> TensorProto {
        TensorProto {
            name: Some(name.to_owned()),
            dims: vec![2],
            data_type: Some(FLOAT16),
            ..TensorProto::default()
        }
    }

    #[test]
    fn weights_and_casts_are_widened() {
        let nodes = vec![
            node("Cast", &["in"], "half").with_int("to", i64::from(FLOAT16)),
            node("Add", &["half", "raw"], "sum"),
        ];
        let mut graph = graph(&["in"], nodes, &["sum"]);
        let mut external = half("external");
        let location = ExternalLocation {
            file: "weights",
            offset: 64,
            length: Some(4),
            stored: StoredType::Float32,
        };
        location.write_to(&mut external);
        let bits = [0x3c00u16, 0xc100];
        graph.proto_mut().initializer = vec![
            TensorProto {
                raw_data: Some(bits.map(u16::to_le_bytes).concat().into()),
                ..half("raw")
            },
            TensorProto {
                int32_data: bits.map(i32::from).to_vec(),
                ..half("fields")
            },
            external,
        ];
        assert!(widen_half_precision(&mut graph));
        assert!(!widen_half_precision(&mut graph));
        assert_eq!(graph.nodes()[0].int("to", 0), i64::from(FLOAT));
        let [raw, fields, external] = graph.initializers() else {
            panic!("expected three tensors");
        };
        let floats = [1f32, -2.5];
        assert_eq!(
            raw.raw_data.as_deref(),
            Some(floats.map(f32::to_le_bytes).concat().as_slice())
        );
        assert_eq!(fields.float_data, floats);
        assert!(fields.int32_data.is_empty());
        assert_eq!(external.data_type, Some(FLOAT));
        let found = widen_stored(external, bits.map(u16::to_le_bytes).concat().into());
        assert_eq!(*found, *floats.map(f32::to_le_bytes).concat());
    }
}
