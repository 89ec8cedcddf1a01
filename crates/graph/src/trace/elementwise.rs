//! Elementwise operators.

use ndarray::{ArrayD, Zip};

use super::{Call, Tensor, broadcast_shape, is_small};
use crate::onnx::{BOOL, FLOAT};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let output = match name {
        "Cast" => cast(call.input(0)?, i32::try_from(call.node.int("to", 0)).ok()?),
        "CastLike" => cast(call.input(0)?, call.input(1)?.dtype()),
        "Where" => choose(call),
        "Clip" => clip(call),
        "Softmax" => softmax(call),
        "IsNaN" => match call.input(0)? {
            Tensor::Float(array) => Some(Tensor::Bool(array.mapv(f32::is_nan))),
            other => Some(Tensor::opaque(BOOL, other.shape())),
        },
        "Not" => match call.input(0)? {
            Tensor::Bool(array) => Some(Tensor::Bool(array.mapv(|x| !x))),
            other => Some(other.clone()),
        },
        _ => match call.inputs {
            [Some(operand)] => unary(name, operand),
            [Some(left), Some(right)] => binary(name, left, right),
            _ => None,
        },
    };
    Some(vec![output?])
}

fn unary(name: &str, tensor: &Tensor) -> Option<Tensor> {
    // Operators of any number of operands.
    if ["Max", "Mean", "Min", "Sum"].contains(&name) {
        return Some(tensor.clone());
    }
    let float: fn(f32) -> f32 = match name {
        "Abs" => f32::abs,
        "Ceil" => f32::ceil,
        "Cos" => f32::cos,
        "Erf" => erf,
        "Exp" => f32::exp,
        "Floor" => f32::floor,
        "Log" => f32::ln,
        "Neg" => |x| -x,
        "Reciprocal" => f32::recip,
        "Relu" => |x| x.max(0.),
        "Round" => f32::round_ties_even,
        "Sigmoid" => |x| 1. / (1. + (-x).exp()),
        "Sign" => |x| if x == 0. { 0. } else { x.signum() },
        "Sin" => f32::sin,
        "Sqrt" => f32::sqrt,
        "Tanh" => f32::tanh,
        _ => return None,
    };
    match tensor {
        Tensor::Float(array) => Some(Tensor::Float(array.mapv(float))),
        Tensor::Int(array) => match name {
            "Abs" => Some(Tensor::Int(array.mapv(i64::wrapping_abs))),
            "Neg" => Some(Tensor::Int(array.mapv(i64::wrapping_neg))),
            "Sign" => Some(Tensor::Int(array.mapv(i64::signum))),
            _ => None,
        },
        Tensor::Bool(_) => None,
        Tensor::Opaque(..) => Some(tensor.clone()),
    }
}

fn binary(name: &str, left: &Tensor, right: &Tensor) -> Option<Tensor> {
    let float: Option<fn(f32, f32) -> f32> = match name {
        "Add" => Some(|left, right| left + right),
        "Sub" => Some(|left, right| left - right),
        "Mul" => Some(|left, right| left * right),
        "Div" => Some(|left, right| left / right),
        "Pow" => Some(f32::powf),
        "Max" => Some(f32::max),
        "Min" => Some(f32::min),
        _ => None,
    };
    let int: Option<fn(i64, i64) -> Option<i64>> = match name {
        "Add" => Some(i64::checked_add),
        "Sub" => Some(i64::checked_sub),
        "Mul" => Some(i64::checked_mul),
        "Div" => Some(i64::checked_div),
        "Max" => Some(|left, right| Some(left.max(right))),
        "Min" => Some(|left, right| Some(left.min(right))),
        "Mod" => Some(i64::checked_rem_euclid),
        _ => None,
    };
    let order: Option<fn(Option<std::cmp::Ordering>) -> bool> = match name {
        "Equal" => Some(|order| order.is_some_and(|order| order.is_eq())),
        "Less" => Some(|order| order.is_some_and(|order| order.is_lt())),
        "LessOrEqual" => Some(|order| order.is_some_and(|order| order.is_le())),
        "Greater" => Some(|order| order.is_some_and(|order| order.is_gt())),
        "GreaterOrEqual" => Some(|order| order.is_some_and(|order| order.is_ge())),
        _ => None,
    };
    let logic: Option<fn(bool, bool) -> bool> = match name {
        "And" => Some(|left, right| left & right),
        "Or" => Some(|left, right| left | right),
        "Xor" => Some(|left, right| left ^ right),
        "Equal" => Some(|left, right| left == right),
        _ => None,
    };
    match (left, right) {
        (Tensor::Float(left), Tensor::Float(right)) => match (float, order) {
            (Some(op), _) => zip(left, right, |a, b| op(*a, *b)).map(Tensor::Float),
            (_, Some(op)) => zip(left, right, |a, b| op(a.partial_cmp(b))).map(Tensor::Bool),
            _ => None,
        },
        // Powers of floats may have integer exponents.
        (Tensor::Float(_), Tensor::Int(right)) if name == "Pow" => {
            binary(name, left, &Tensor::Float(right.mapv(|x| x as f32)))
        }
        (Tensor::Int(left), Tensor::Int(right)) => match (int, order) {
            (Some(op), _) => {
                let found = zip(left, right, |a, b| op(*a, *b))?;
                found
                    .iter()
                    .all(Option::is_some)
                    .then(|| Tensor::Int(found.mapv(Option::unwrap_or_default)))
            }
            (_, Some(op)) => zip(left, right, |a, b| op(a.partial_cmp(b))).map(Tensor::Bool),
            _ => None,
        },
        (Tensor::Bool(left), Tensor::Bool(right)) => zip(left, right, |a, b| {
            logic.map(|op| op(*a, *b))
        })
        .and_then(|found| logic.map(|_| Tensor::Bool(found.mapv(Option::unwrap_or_default)))),
        (Tensor::Opaque(..), _) | (_, Tensor::Opaque(..)) => {
            let shape = broadcast_shape(left.shape(), right.shape())?;
            let dtype = match (
                float.is_some() || int.is_some(),
                order.is_some() || logic.is_some(),
            ) {
                (true, _) => left.dtype(),
                (_, true) => BOOL,
                _ => return None,
            };
            Some(Tensor::opaque(dtype, &shape))
        }
        _ => None,
    }
}

fn zip<A: Clone, B>(
    left: &ArrayD<A>,
    right: &ArrayD<A>,
    op: impl Fn(&A, &A) -> B,
) -> Option<ArrayD<B>> {
    let shape = broadcast_shape(left.shape(), right.shape())?;
    if !is_small(&shape) {
        return None;
    }
    let (left, right) = (left.broadcast(&*shape)?, right.broadcast(&*shape)?);
    Some(Zip::from(&left).and(&right).map_collect(op))
}

fn cast(tensor: &Tensor, to: i32) -> Option<Tensor> {
    let is_int = matches!(to, 2..=7 | 12 | 13);
    Some(match (tensor, to) {
        (Tensor::Opaque(..), _) => Tensor::opaque(to, tensor.shape()),
        (Tensor::Float(array), FLOAT) => Tensor::Float(array.clone()),
        (Tensor::Float(array), BOOL) => Tensor::Bool(array.mapv(|x| x != 0.)),
        (Tensor::Float(array), _) if is_int => Tensor::Int(array.mapv(|x| x as i64)),
        (Tensor::Int(array), FLOAT) => Tensor::Float(array.mapv(|x| x as f32)),
        (Tensor::Int(array), BOOL) => Tensor::Bool(array.mapv(|x| x != 0)),
        (Tensor::Int(array), _) if is_int => Tensor::Int(array.clone()),
        (Tensor::Bool(array), FLOAT) => Tensor::Float(array.mapv(|x| f32::from(u8::from(x)))),
        (Tensor::Bool(array), BOOL) => Tensor::Bool(array.clone()),
        (Tensor::Bool(array), _) if is_int => Tensor::Int(array.mapv(i64::from)),
        _ => return None,
    })
}

fn choose(call: &Call<'_>) -> Option<Tensor> {
    let (condition, yes, no) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let shape = broadcast_shape(
        &broadcast_shape(condition.shape(), yes.shape())?,
        no.shape(),
    )?;
    let is_opaque = [condition, yes, no].iter().any(|part| part.is_opaque());
    if !is_opaque && !is_small(&shape) {
        return None;
    }
    fn pick<T: Clone>(
        condition: &ArrayD<bool>,
        yes: &ArrayD<T>,
        no: &ArrayD<T>,
        shape: &[usize],
    ) -> Option<ArrayD<T>> {
        let (yes, no) = (yes.broadcast(shape)?, no.broadcast(shape)?);
        let condition = condition.broadcast(shape)?;
        let pick = |&is: &bool, yes: &T, no: &T| if is { yes.clone() } else { no.clone() };
        Some(Zip::from(&condition).and(&yes).and(&no).map_collect(pick))
    }
    match (condition, yes, no) {
        (Tensor::Bool(condition), Tensor::Float(yes), Tensor::Float(no)) => {
            pick(condition, yes, no, &shape).map(Tensor::Float)
        }
        (Tensor::Bool(condition), Tensor::Int(yes), Tensor::Int(no)) => {
            pick(condition, yes, no, &shape).map(Tensor::Int)
        }
        (Tensor::Bool(condition), Tensor::Bool(yes), Tensor::Bool(no)) => {
            pick(condition, yes, no, &shape).map(Tensor::Bool)
        }
        _ => Some(Tensor::opaque(yes.dtype(), &shape)),
    }
}

fn clip(call: &Call<'_>) -> Option<Tensor> {
    let bound = |name: &str, at: usize, default: f32| match call.input(at) {
        Some(bound) => bound.uniform(),
        None => Some(call.node.float(name, default)),
    };
    match call.input(0)? {
        Tensor::Float(array) => {
            let low = bound("min", 1, f32::NEG_INFINITY)?;
            let high = bound("max", 2, f32::INFINITY)?;
            Some(Tensor::Float(array.mapv(|x| x.max(low).min(high))))
        }
        opaque @ Tensor::Opaque(..) => Some(opaque.clone()),
        _ => None,
    }
}

/// Only the shape: scores of attention depend on the texts.
fn softmax(call: &Call<'_>) -> Option<Tensor> {
    call.input(0).filter(|scores| scores.is_opaque()).cloned()
}

/// The error function to within 1.5e-7.
///
/// Source: Abramowitz and Stegun, 7.1.26.
pub fn erf(x: f32) -> f32 {
    let sign = f64::from(x).signum();
    let x = f64::from(x).abs();
    let t = 1. / (1. + 0.327_591_1 * x);
    let sum = ((((1.061_405_429 * t - 1.453_152_027) * t + 1.421_413_741) * t - 0.284_496_736) * t
        + 0.254_829_592)
        * t;
    (sign * (1. - sum * (-x * x).exp())) as f32
}
