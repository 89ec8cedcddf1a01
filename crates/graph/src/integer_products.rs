//! Products of quantized matrices, for engines without fast integer kernels.

use super::Graph;
use super::node::node;
use super::onnx::{FLOAT, NodeProto};
use super::values::Values;

/// Computes integer products with constant weights in floats: `MatMulInteger`
/// becomes a `MatMul` of the same integers. Returns whether there was any.
///
/// The result is the same: products of 8-bit integers are exact in 32-bit
/// floats, and so are their sums up to 2^24; beyond, they round as floats do.
/// An engine that folds constants holds four bytes a weight instead of one.
pub fn float_integer_products(graph: &mut Graph) -> bool {
    let values = Values::new(graph);
    let found: Vec<usize> = (0..graph.nodes().len())
        .filter(|&at| is_replaceable(graph, &values, &graph.nodes()[at]))
        .collect();
    // From the end, so that positions before stay valid.
    for &at in found.iter().rev() {
        let nodes = in_floats(&graph.graph.node[at]);
        graph.graph.node.splice(at..=at, nodes);
    }
    !found.is_empty()
}

/// Whether `node` multiplies by a constant and is read as floats alone.
fn is_replaceable(graph: &Graph, values: &Values<'_>, node: &NodeProto) -> bool {
    let (Some(weights), [output]) = (node.input.get(1), node.output.as_slice()) else {
        return false;
    };
    let casts = graph
        .nodes()
        .iter()
        .filter(|reader| reader.is("Cast") && reader.input.first() == Some(output))
        .filter(|cast| cast.int("to", 0) == i64::from(FLOAT))
        .count();
    node.is("MatMulInteger") && values.is_constant(weights) && casts == values.readers(output)
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
                let centred = format!("{output}_{side}_centred");
                nodes.push(node("Sub", "", &[&value, &zero], &[&centred]));
                centred
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
    use super::super::testing::{graph, integers, node, operators};
    use super::*;

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
    fn zero_points_are_taken_off_before_the_product() {
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
    fn products_that_someone_reads_as_integers_stay() {
        assert!(!float_integer_products(&mut product(&[], "Erf")));
        let mut read_twice = product(&[], "Cast");
        let reader = node("Erf", &["product"], "second");
        read_twice.graph.node.push(reader);
        assert!(!float_integer_products(&mut read_twice));
    }
}
