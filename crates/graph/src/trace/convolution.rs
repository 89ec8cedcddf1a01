//! Convolutions, and the padding before them.

use ndarray::{ArrayD, ArrayView3, Ix3, IxDyn};

use super::{Call, Tensor, is_small};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let output = match name {
        "Conv" => convolution(call),
        "Pad" => pad(call),
        _ => None,
    };
    Some(vec![output?])
}

/// The attributes of a convolution, by axis.
struct Axes {
    strides: Vec<usize>,
    dilations: Vec<usize>,
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Axes {
    fn of(call: &Call<'_>, count: usize) -> Option<Self> {
        let node = call.node;
        matches!(node.string("auto_pad"), "" | "NOTSET" | "VALID").then_some(())?;
        let all = |name: &str, count: usize, default: usize| match node.ints(name) {
            Some(values) => super::movement::sizes(values).filter(|sizes| sizes.len() == count),
            None => Some(vec![default; count]),
        };
        let mut before = all("pads", 2 * count, 0)?;
        let after = before.split_off(count);
        Some(Self {
            strides: all("strides", count, 1)?,
            dilations: all("dilations", count, 1)?,
            before,
            after,
        })
    }

    fn output(&self, at: usize, input: usize, taps: usize) -> Option<usize> {
        let reach = taps.checked_sub(1)?.checked_mul(self.dilations[at])?;
        let padded = input.checked_add(self.before[at])?;
        let padded = padded.checked_add(self.after[at])?;
        let last = padded.checked_sub(reach.checked_add(1)?)?;
        last.checked_div(self.strides[at])?.checked_add(1)
    }
}

fn convolution(call: &Call<'_>) -> Option<Tensor> {
    let (data, weights) = (call.input(0)?, call.input(1)?);
    let bias = call.input(2);
    let groups = usize::try_from(call.node.int("group", 1)).ok()?;
    let (&[batch, channels, ref space @ ..], &[outputs, per_group, ref taps @ ..]) =
        (data.shape(), weights.shape())
    else {
        return None;
    };
    let fits = channels == per_group.checked_mul(groups)?
        && outputs.checked_rem(groups) == Some(0)
        && space.len() == taps.len();
    fits.then_some(())?;
    let axes = Axes::of(call, space.len())?;
    let mut shape = vec![batch, outputs];
    for (at, (&input, &taps)) in space.iter().zip(taps).enumerate() {
        shape.push(axes.output(at, input, taps)?);
    }
    let known = match (data, weights, bias) {
        (Tensor::Float(data), Tensor::Float(weights), None) => Some((data, weights, None)),
        (Tensor::Float(data), Tensor::Float(weights), Some(Tensor::Float(bias))) => {
            Some((data, weights, Some(bias)))
        }
        _ => None,
    };
    let (Some((data, weights, bias)), &[length]) = (known, space) else {
        return Some(Tensor::opaque(data.dtype(), &shape));
    };
    // The limit also bounds the multiplications.
    is_small(&[&shape[..], &weights.shape()[1..]].concat()).then_some(())?;
    let data: ArrayView3<'_, f32> = data.view().into_dimensionality::<Ix3>().ok()?;
    let weights: ArrayView3<'_, f32> = weights.view().into_dimensionality::<Ix3>().ok()?;
    let mut result = ArrayD::zeros(IxDyn(&shape));
    for (at, value) in result.indexed_iter_mut() {
        let (text, output, place) = (at[0], at[1], at[2]);
        let mut sum = match bias {
            Some(bias) => *bias.get(IxDyn(&[output]))?,
            None => 0.,
        };
        let first = output / (outputs / groups) * per_group;
        for channel in 0..per_group {
            for tap in 0..taps[0] {
                let padded = place * axes.strides[0] + tap * axes.dilations[0];
                let source = padded.checked_sub(axes.before[0]);
                if let Some(source) = source.filter(|&source| source < length) {
                    let weight = weights[[output, channel, tap]];
                    sum += weight * data[[text, first + channel, source]];
                }
            }
        }
        *value = sum;
    }
    Some(Tensor::Float(result))
}

/// Padding with a constant; negative pads cut elements off.
fn pad(call: &Call<'_>) -> Option<Tensor> {
    matches!(call.node.string("mode"), "" | "constant").then_some(())?;
    let data = call.input(0)?;
    let rank = data.shape().len();
    let pads = call.ints("pads", 1)?;
    let axes = match call.input(3) {
        Some(axes) => axes.ints()?,
        None => (0..rank as i64).collect(),
    };
    (pads.len() == 2 * axes.len()).then_some(())?;
    let mut before = vec![0i64; rank];
    let mut shape = data.shape().to_vec();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = super::resolve_index(axis, rank)?;
        before[axis] = pads[at];
        let size = i64::try_from(shape[axis]).ok()?;
        let size = size
            .checked_add(pads[at])?
            .checked_add(pads[at + axes.len()])?;
        shape[axis] = usize::try_from(size).ok()?;
    }
    let Tensor::Float(data) = data else {
        return Some(Tensor::opaque(data.dtype(), &shape));
    };
    is_small(&shape).then_some(())?;
    let value = match call.input(2) {
        Some(value) => value.uniform()?,
        None => call.node.float("value", 0.),
    };
    let source = |at: IxDyn| {
        let at = ndarray::Dimension::slice(&at).iter().zip(&before);
        let at: Option<Vec<usize>> = at
            .map(|(&at, before)| usize::try_from(at as i64 - before).ok())
            .collect();
        let found = at.and_then(|at| data.get(IxDyn(&at)).copied());
        found.unwrap_or(value)
    };
    Some(Tensor::Float(ArrayD::from_shape_fn(IxDyn(&shape), source)))
}
