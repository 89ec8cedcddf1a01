//! Shapes of operators that stand for several others.

use super::shapes::product;
use super::{Call, Tensor};
use crate::onnx::{FLOAT, INT32};

/// Operators of the standard, and those that ONNX Runtime adds to its domain.
pub(super) fn standard(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let one = |shape: &[usize]| Some(vec![Tensor::opaque(data.dtype(), shape)]);
    match name {
        "Attention" => one(&attention(call)?),
        "RotaryEmbedding" | "Swish" => one(data.shape()),
        _ => None,
    }
}

/// Operators of ONNX Runtime's own domain.
pub(super) fn contrib(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let data = call.input(0)?;
    let float = |shape: &[usize]| Tensor::opaque(FLOAT, shape);
    let widened = |shape: &[usize], width: usize| {
        let mut shape = shape.to_vec();
        *shape.last_mut()? = width;
        Some(vec![float(&shape)])
    };
    match name {
        "BiasGelu" | "RotaryEmbedding" | "SimplifiedLayerNormalization" => {
            Some(vec![Tensor::opaque(data.dtype(), data.shape())])
        }
        // The mean and the deviation are not used anywhere.
        "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => {
            let same = Tensor::opaque(data.dtype(), data.shape());
            Some(vec![same; 4])
        }
        "EmbedLayerNormalization" | "QEmbedLayerNormalization" => {
            let mut shape = data.shape().to_vec();
            let counts = Tensor::opaque(INT32, shape.get(..1)?);
            shape.push(*call.input(2)?.shape().get(1)?);
            Some(vec![float(&shape), counts, float(&shape)])
        }
        "Attention" | "QAttention" => {
            let width = match call.node.ints("qkv_hidden_sizes") {
                Some([_, _, values]) => usize::try_from(*values).ok()?,
                _ => call.input(1)?.shape().get(1)? / 3,
            };
            widened(data.shape(), width)
        }
        "GroupQueryAttention" => {
            let count = |name| usize::try_from(call.node.int(name, 0)).ok();
            let width = *data.shape().last()?;
            let width = match call.input(1) {
                Some(_) => width,
                // Keys and values are beside the queries.
                None => {
                    let (heads, others) = (count("num_heads")?, count("kv_num_heads")?);
                    let all = others.checked_mul(2)?.checked_add(heads)?;
                    width.checked_div(all)?.checked_mul(heads)?
                }
            };
            widened(data.shape(), width)
        }
        "MultiHeadAttention" => {
            let heads = usize::try_from(call.node.int("num_heads", 0)).ok()?;
            match (data.shape(), call.input(1), call.input(2)) {
                (shape, Some(_), Some(values)) => widened(shape, *values.shape().last()?),
                (shape @ [_, _, _], Some(_), None) => Some(vec![float(shape)]),
                (&[batch, length, _, 3, columns], None, None) => {
                    Some(vec![float(&[batch, length, heads.checked_mul(columns)?])])
                }
                _ => None,
            }
        }
        "FusedMatMul" | "TransposeMatMul" => {
            let [left, right] = [("A", 0), ("B", 1)].map(|(side, at)| moved(call, side, at));
            Some(vec![float(&product(&left?, &right?)?)])
        }
        "DynamicQuantizeMatMul" | "MatMulIntegerToFloat" => {
            Some(vec![float(&product(data.shape(), call.input(1)?.shape())?)])
        }
        _ => None,
    }
}

fn attention(call: &Call<'_>) -> Option<Vec<usize>> {
    let values = call.input(2)?.shape();
    let count = |name| {
        usize::try_from(call.node.int(name, 0))
            .ok()
            .filter(|&count| count > 0)
    };
    match (call.input(0)?.shape(), values) {
        (&[batch, heads, length, _], &[_, _, _, columns]) => {
            Some(vec![batch, heads, length, columns])
        }
        (&[batch, length, _], &[_, _, width]) => {
            let columns = width / count("kv_num_heads")?;
            Some(vec![
                batch,
                length,
                columns.checked_mul(count("q_num_heads")?)?,
            ])
        }
        _ => None,
    }
}

/// The shape of an operand after the transpositions that its flags ask for.
fn moved(call: &Call<'_>, side: &str, at: usize) -> Option<Vec<usize>> {
    let mut shape = call.input(at)?.shape().to_vec();
    let rank = shape.len();
    if rank < 2 {
        return None;
    }
    if call.node.int(&format!("transBatch{side}"), 0) != 0 {
        shape[..rank - 1].rotate_left(1);
    }
    if call.node.int(&format!("trans{side}"), 0) != 0 {
        shape.swap(rank - 2, rank - 1);
    }
    Some(shape)
}
