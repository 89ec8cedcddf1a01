//! Quantization and products of quantized matrices.

use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "DequantizeLinear" => dequantize,
        "DynamicQuantizeLinear" => dynamic_quantize,
        "MatMulInteger" => product,
        "QuantizeLinear" => quantize,
        _ => return None,
    })
}

/// `(x - zero) * scale`
fn dequantize(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let scale = along_axis(node, input, 1)?;
    let dtype = node.dtype(scale)?;
    let mut result = node.cast(input, dtype)?;
    if node.optional(2).is_some() {
        let zero = along_axis(node, input, 2)?;
        let zero = node.cast(zero, dtype)?;
        result = node.sub(result, zero)?;
    }
    Ok(tvec!(node.mul(result, scale)?))
}

/// `x / scale` rounded half to even, plus the zero point, clamped to the
/// type's range.
fn quantize(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let scale = along_axis(node, input, 1)?;
    let divided = node.binary(Box::new(math::Div), input, scale)?;
    let mut result = node.wire(math::round_half_to_even(), &[divided])?;
    let mut to = u8::datum_type();
    if let Some(zero) = node.optional(2) {
        to = node.dtype(zero)?;
        let zero = along_axis(node, input, 2)?;
        let zero = node.cast(zero, f32::datum_type())?;
        result = node.add(result, zero)?;
    }
    let (low, high) = match to {
        DatumType::U8 => (0., 255.),
        DatumType::I8 => (-128., 127.),
        other => bail!("expected an 8-bit zero point, found {other:?}"),
    };
    let low = node.scalar(low, result)?;
    let high = node.scalar(high, result)?;
    result = node.binary(Box::new(math::Max), result, low)?;
    result = node.binary(Box::new(math::Min), result, high)?;
    Ok(tvec!(node.cast(result, to)?))
}

/// A scale or zero point, of the whole tensor or one per index of an axis,
/// shaped to broadcast over the tensor.
fn along_axis(node: &mut Node<'_>, tensor: OutletId, at: usize) -> TractResult<OutletId> {
    ensure!(
        node.proto.int("block_size", 0) == 0,
        "expected a scale per tensor or per index of an axis, found blocks"
    );
    let mut outlet = node.input(at)?;
    if node.rank(outlet)? == 1 && !node.shape(outlet)?[0].is_one() {
        let axis = node.axis(node.proto.int("axis", 1), tensor)?;
        for after in 1..node.rank(tensor)? - axis {
            outlet = node.wire(AxisOp::Add(after), &[outlet])?;
        }
    }
    Ok(outlet)
}

fn dynamic_quantize(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    node.wire_all(DynamicQuantize, &[input])
}

/// The product of both factors minus their zero points, `[..., m, n]` of
/// 32-bit integers.
fn product(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (left, right) = (node.input(0)?, node.input(1)?);
    let factors = node.align_ranks(&[left, right])?;
    let rank = node.rank(factors[0])?;
    ensure!(
        (2..=12).contains(&rank),
        "expected matrices, found {rank} axes"
    );
    let batch: String = ('a'..='j').take(rank - 2).collect();
    let (left_zero, left_axis) = zero_point(node, 2, "m")?;
    let (right_zero, right_axis) = zero_point(node, 3, "n")?;
    let axes = format!("{batch}mk,{batch}kn,,{left_axis},,{right_axis},,,->{batch}mn");
    let none = node.add_constant(tensor0(0i32))?;
    let one = node.add_constant(tensor0(1f32))?;
    let op = EinSum {
        axes: axes.parse()?,
        operating_dt: i32::datum_type(),
        q_params: Some(i32::datum_type()),
    };
    // Factors, bias, then zero point and scale of each factor and the product.
    let inputs = [
        factors[0], factors[1], none, left_zero, one, right_zero, one, none, one,
    ];
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// A zero point and, if there is one per row or column, its axis.
fn zero_point(
    node: &mut Node<'_>,
    at: usize,
    axis: &'static str,
) -> TractResult<(OutletId, &'static str)> {
    let Some(outlet) = node.optional(at) else {
        return Ok((node.add_constant(tensor0(0i32))?, ""));
    };
    let shape = node.shape(outlet)?;
    Ok(match shape.as_slice() {
        [] => (outlet, ""),
        [one] if one.is_one() => (node.wire(AxisOp::Rm(0), &[outlet])?, ""),
        [_] => (outlet, axis),
        _ => bail!("expected a zero point per matrix, row or column, found {shape:?}"),
    })
}

/// ONNX's `DynamicQuantizeLinear`: quantizes a tensor to 8 bits over its own
/// range. Outputs the quantized tensor, its scale and its zero point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct DynamicQuantize;

impl Op for DynamicQuantize {
    fn name(&self) -> StaticName {
        "DynamicQuantize".into()
    }

    op_as_typed_op!();
}

impl EvalOp for DynamicQuantize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let values = input.try_as_plain_ram()?.as_slice::<f32>()?;
        // The range always includes 0.
        let low = values.iter().copied().fold(0f32, f32::min);
        let high = values.iter().copied().fold(0f32, f32::max);
        let scale = match (high - low) / 255. {
            // All values are 0, and any scale gives 0.
            0. => 1.,
            scale => scale,
        };
        let zero = (-low / scale).round_ties_even().clamp(0., 255.);
        let quantized: Vec<u8> = values
            .iter()
            .map(|value| ((value / scale).round_ties_even() + zero).clamp(0., 255.) as u8)
            .collect();
        Ok(tvec!(
            Tensor::from_shape(input.shape(), &quantized)?.into_tvalue(),
            tensor0(scale).into_tvalue(),
            tensor0(zero as u8).into_tvalue(),
        ))
    }
}

impl TypedOp for DynamicQuantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            inputs[0].datum_type == f32::datum_type(),
            "expected 32-bit floats, found {:?}",
            inputs[0].datum_type
        );
        Ok(tvec!(
            u8::fact(inputs[0].shape.clone()),
            f32::scalar_fact(),
            u8::scalar_fact(),
        ))
    }

    as_op!();
}
