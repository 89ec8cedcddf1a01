//! Products of quantized matrices in floats, for engines without fast integer
//! kernels.

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::{FLOAT, NodeProto};

/// Computes integer products with constant weights in floats: `MatMulInteger`
/// becomes a `MatMul` of the same integers.
///
/// Products of 8-bit integers are exact in 32-bit floats, and so are their sums
/// up to 2^24; larger sums are rounded. An engine that folds constants needs
/// four bytes for each weight instead of one.
pub fn float_integer_products(graph: &mut Graph) -> bool {
    let index = ValueIndex::new(graph);
    let found: Vec<usize> = (0..graph.nodes().len())
        .filter(|&at| is_replaceable(&index, &graph.nodes()[at]))
        .collect();
    // From the end, so that earlier positions stay valid.
    for &at in found.iter().rev() {
        let nodes = in_floats(&graph.nodes()[at]);
        graph.proto_mut().node.splice(at..=at, nodes);
    }
    !found.is_empty()
}

/// Whether `node` multiplies by a constant, and all its readers cast the result
/// to floats.
fn is_replaceable(index: &ValueIndex<'_>, node: &NodeProto) -> bool {
    let (Some(weights), [output]) = (node.input.get(1), node.output.as_slice()) else {
        return false;
    };
    let is_cast = |reader: &NodeProto| reader.is("Cast") && reader.int("to", 0) == i64::from(FLOAT);
    let mut readers = index.readers(output).iter();
    node.is("MatMulInteger")
        && index.is_constant(weights)
        && readers.all(|&at| index.node(at).is_some_and(is_cast))
}

fn in_floats(product: &NodeProto) -> Vec<NodeProto> {
    let output = &product.output[0];
    let mut nodes = Vec::new();
    let factors = ["left", "right"].map(|side| {
        let at = usize::from(side == "right");
        let value = cast(&mut nodes, &product.input[at], format!("{output}_{side}"));
        match product.input.get(at + 2).filter(|name| !name.is_empty()) {
            None => value,
            Some(zero) => {
                let zero = cast(&mut nodes, zero, format!("{output}_{side}_zero"));
                let centered = format!("{output}_{side}_centered");
                nodes.push(node("Sub", "", &[&value, &zero], &[&centered]));
                centered
            }
        }
    });
    let [left, right] = &factors;
    nodes.push(node("MatMul", "", &[left, right], &[output]));
    nodes
}

fn cast(nodes: &mut Vec<NodeProto>, value: &str, output: String) -> String {
    nodes.push(node("Cast", "", &[value], &[&output]).with_int("to", FLOAT.into()));
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{graph, integers, node, operators};

    fn product(zeros: &[&str], reader: &str) -> Graph {
        let mut inputs = vec!["x", "weights"];
        inputs.extend(zeros);
        let read = node(reader, &["product"], "out").with_int("to", FLOAT.into());
        let nodes = vec![
            integers("weights", &[1]),
            node("MatMulInteger", &inputs, "product"),
            read,
        ];
        graph(&["x", "a", "b"], nodes, &["out"])
    }

    #[test]
    fn zero_points_are_subtracted_before_the_product() {
        let mut graph = product(&["a", "b"], "Cast");
        assert!(float_integer_products(&mut graph));
        let expected = [
            "Cast", "Cast", "Sub", "Cast", "Cast", "Sub", "MatMul", "Cast",
        ];
        assert_eq!(operators(&graph), expected);
        assert!(!float_integer_products(&mut graph));
    }

    #[test]
    fn zero_points_may_be_absent() {
        let mut graph = product(&["", "b"], "Cast");
        assert!(float_integer_products(&mut graph));
        let expected = ["Cast", "Cast", "Cast", "Sub", "MatMul", "Cast"];
        assert_eq!(operators(&graph), expected);
        assert!(float_integer_products(&mut product(&[], "Cast")));
    }

    #[test]
    fn products_that_are_read_as_integers_are_kept() {
        assert!(!float_integer_products(&mut product(&[], "Erf")));
        let mut read_twice = product(&[], "Cast");
        let reader = node("Erf", &["product"], "second");
        read_twice.proto_mut().node.push(reader);
        assert!(!float_integer_products(&mut read_twice));
    }
}
