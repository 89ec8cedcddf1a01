//! Products of matrices with something before or after them.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;

/// `alpha * a @ b`, of which each may be transposed.
pub(super) fn fused_matmul(call: &mut Call<'_>) -> Option<Vec<String>> {
    let ranks = [call.shape(0)?.len(), call.shape(1)?.len()];
    let [left, right] = ["A", "B"].map(|side| Flags {
        matrix: call.node.int(&format!("trans{side}"), 0) != 0,
        batch: call.node.int(&format!("transBatch{side}"), 0) != 0,
    });
    if !call.is_float(0) || ranks.iter().any(|&rank| rank < 2) {
        return None;
    }
    let (a, b) = (call.input(0)?, call.input(1)?);
    let a = left.apply(call, a, ranks[0]);
    let b = right.apply(call, b, ranks[1]);
    let product = call.builder.add("MatMul", &[&a, &b]);
    let alpha = call.node.float("alpha", 1.);
    if alpha == 1. {
        return Some(vec![product]);
    }
    let alpha = call.builder.float(alpha);
    Some(vec![call.builder.add("Mul", &[&product, &alpha])])
}

/// Which axes are moved before a product.
struct Flags {
    /// The last two are swapped.
    matrix: bool,
    /// The first one is that of rows, and goes behind those of the batch.
    batch: bool,
}

impl Flags {
    fn apply(&self, call: &mut Call<'_>, x: &str, rank: usize) -> String {
        let mut order: Vec<i64> = (0..rank as i64).collect();
        if self.batch {
            order[..rank - 1].rotate_left(1);
        }
        if self.matrix {
            order.swap(rank - 2, rank - 1);
        }
        if order.is_sorted() {
            return x.to_owned();
        }
        call.transpose(x, &order)
    }
}

/// `Gemm` and an activation function without parameters.
pub(super) fn fused_gemm(call: &mut Call<'_>) -> Option<Vec<String>> {
    let activation = match call.node.string("activation") {
        name @ ("Relu" | "Sigmoid" | "Tanh") => name,
        _ => return None,
    };
    let inputs: Vec<&str> = call.node.input.iter().map(String::as_str).collect();
    let product = call.builder.add_with("Gemm", &inputs, |mut gemm| {
        let kept = ["alpha", "beta", "transA", "transB"];
        let attributes = call.node.attribute.iter().filter(|attribute| {
            let name = attribute.name.as_deref();
            name.is_some_and(|name| kept.contains(&name))
        });
        gemm.attribute.extend(attributes.cloned());
        gemm
    });
    Some(vec![call.builder.add(activation, &[&product])])
}
