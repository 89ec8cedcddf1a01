//! What is added to scores by positions alone.

use ndarray::{ArrayD, Axis};

use super::nodes::Nodes;
use super::probes::Probes;
use crate::trace::{Tensor, Trace};

/// The sum of what is added to scores.
pub(super) struct Bias {
    /// `[heads, length, length]`, or `[heads, 2 * length - 1]` if it is relative;
    /// of one head or of all.
    pub(super) value: String,
    /// Whether it depends on the difference of positions alone.
    pub(super) is_relative: bool,
}

/// Adds the nodes that bring values, which are added to the scores of `heads`
/// heads, to one of the forms of a bias. `None` if they differ from text to
/// text.
pub(super) fn find(
    probes: &Probes<'_>,
    values: &[String],
    heads: usize,
    nodes: &mut Nodes,
) -> Option<Bias> {
    let mut is_relative = true;
    let mut sum: Option<String> = None;
    for value in values {
        is_relative &= form(probes, value, heads)?;
        let whole = whole(probes.drawn(), value, nodes)?;
        sum = Some(match sum {
            Some(sum) => nodes.add("Add", &[&sum, &whole]),
            None => whole,
        });
    }
    let mut value = sum?;
    if is_relative {
        value = by_difference(&value, nodes);
    }
    Some(Bias { value, is_relative })
}

/// Whether a value is relative; `None` if it is no bias.
fn form(probes: &Probes<'_>, value: &str, heads: usize) -> Option<bool> {
    let mut is_relative = true;
    for trace in probes.traces() {
        let (shape, length) = (trace.shape(value)?, trace.shape("attention_mask")?[1]);
        let (rows, columns) = match *shape {
            [.., rows, columns] => (rows, columns),
            [columns] => (1, columns),
            [] => return None,
        };
        let of_heads = shape.len().checked_sub(3).map_or(1, |at| shape[at]);
        let fits = [rows, columns]
            .iter()
            .all(|&size| size == 1 || size == length)
            && (of_heads == 1 || of_heads == heads);
        (shape.len() <= 4 && fits).then_some(())?;
        match trace.get(value)? {
            Tensor::Float(numbers) => {
                if numbers.ndim() == 4 {
                    let first = numbers.index_axis(Axis(0), 0);
                    numbers
                        .outer_iter()
                        .all(|text| text == first)
                        .then_some(())?;
                }
                is_relative &= [rows, columns] == [length; 2] && has_equal_diagonals(numbers);
            }
            // A table that is not read is the same for all texts, unless there
            // is one for each.
            _ => {
                (shape.len() < 4 || shape[0] == 1).then_some(())?;
                is_relative = false;
            }
        }
    }
    Some(is_relative)
}

/// Whether the numbers of matrices depend on the difference of positions alone.
fn has_equal_diagonals(numbers: &ArrayD<f32>) -> bool {
    let last = numbers.ndim() - 1;
    numbers.indexed_iter().all(|(at, number)| {
        let mut before = at.clone();
        if before[last] == 0 || before[last - 1] == 0 {
            return true;
        }
        before[last] -= 1;
        before[last - 1] -= 1;
        numbers.get(before) == Some(number)
    })
}

/// A value as `[heads, length, length]`.
fn whole(trace: &Trace<'_>, value: &str, nodes: &mut Nodes) -> Option<String> {
    let shape = trace.shape(value)?;
    let mut whole = value.to_owned();
    if shape.len() == 4 {
        let first = nodes.number(0);
        whole = nodes.add_with("Gather", &[&whole, &first], |node| node.with_int("axis", 0));
    }
    for _ in shape.len()..3 {
        whole = nodes.unsqueezed(&whole, 0);
    }
    let length = trace.shape("attention_mask")?[1];
    if shape.ends_with(&[length, length]) {
        return Some(whole);
    }
    let sizes = nodes.add("Shape", &["attention_mask"]);
    let at = nodes.numbers(&[1, 1]);
    let lengths = nodes.add_with("Gather", &[&sizes, &at], |node| node.with_int("axis", 0));
    let one = nodes.numbers(&[1]);
    let sizes = nodes.add_with("Concat", &[&one, &lengths], |node| node.with_int("axis", 0));
    Some(nodes.add("Expand", &[&whole, &sizes]))
}

/// `[heads, 2 * length - 1]` from `[heads, length, length]`: the row of the last
/// position, which sees all before it, and that of the first one.
fn by_difference(whole: &str, nodes: &mut Nodes) -> String {
    let along = |node: crate::onnx::NodeProto| node.with_int("axis", 1);
    let (last, first) = (nodes.number(-1), nodes.number(0));
    let last = nodes.add_with("Gather", &[whole, &last], along);
    let first = nodes.add_with("Gather", &[whole, &first], along);
    let (one, end) = (nodes.numbers(&[1]), nodes.numbers(&[i64::from(i32::MAX)]));
    let later = nodes.add("Slice", &[&first, &one, &end, &one]);
    nodes.add_with("Concat", &[&last, &later], along)
}
