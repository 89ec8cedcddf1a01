//! Matrix products.

use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Einsum" => einsum,
        "Gemm" => gemm,
        "MatMul" => matmul,
        _ => return None,
    })
}

fn matmul(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (left, right) = (node.input(0)?, node.input(1)?);
    let axes = axes(node.rank(left)?, node.rank(right)?)?;
    product(node, &axes, left, right)
}

/// The product as an Einstein sum: `a`, `b` and so on are batch axes, those
/// that one side lacks are broadcast; `m` and `n` are rows and columns.
fn axes(left: usize, right: usize) -> TractResult<String> {
    let batch = |rank: usize, of: usize| -> String {
        let count = rank.saturating_sub(2);
        let all = of.saturating_sub(2);
        ('a'..='j').take(all).skip(all - count).collect()
    };
    let most = left.max(right);
    ensure!(
        left > 0 && right > 0 && most > 1 && most <= 12,
        "expected matrices, found {left} and {right} axes"
    );
    Ok(match (left, right) {
        (1, _) => format!("k,{0}kn->{0}n", batch(right, right)),
        (_, 1) => format!("{0}mk,k->{0}m", batch(left, left)),
        _ => format!(
            "{}mk,{}kn->{}mn",
            batch(left, most),
            batch(right, most),
            batch(most, most)
        ),
    })
}

fn product(
    node: &mut Node<'_>,
    axes: &str,
    left: OutletId,
    right: OutletId,
) -> TractResult<TVec<OutletId>> {
    let dtype = node.dtype(left)?;
    let op = EinSum::new(axes.parse()?, dtype);
    Ok(tvec!(node.wire(op, &[left, right])?))
}

/// `alpha * A * B + beta * C`, either matrix transposed.
fn gemm(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (left, right) = (node.input(0)?, node.input(1)?);
    let proto = node.proto;
    let order = |name, plain, transposed| {
        if proto.int(name, 0) == 0 {
            plain
        } else {
            transposed
        }
    };
    let axes = format!(
        "{},{}->mn",
        order("transA", "mk", "km"),
        order("transB", "kn", "nk")
    );
    let mut result = product(node, &axes, left, right)?[0];
    let (alpha, beta) = (proto.float("alpha", 1.), proto.float("beta", 1.));
    if alpha != 1. {
        result = node.scale(result, alpha)?;
    }
    if let Some(mut bias) = node.optional(2) {
        if beta != 1. {
            bias = node.scale(bias, beta)?;
        }
        result = node.add(result, bias)?;
    }
    Ok(tvec!(result))
}

fn einsum(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let equation = node.proto.string("equation").replace(' ', "");
    ensure!(
        equation.contains("->") && !equation.contains("..."),
        "expected an equation that names all axes, found `{equation}`"
    );
    let inputs = (0..node.inputs.len())
        .map(|at| node.input(at))
        .collect::<TractResult<TVec<_>>>()?;
    let dtype = node.dtype(inputs[0])?;
    let op = EinSum::new(equation.parse()?, dtype);
    Ok(tvec!(node.wire(op, &inputs)?))
}
