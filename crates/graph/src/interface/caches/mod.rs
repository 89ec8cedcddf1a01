//! Inputs of past keys and values, which an encoder does not have.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;

use super::types::Declared;
use crate::builder::Builder;
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::{BFLOAT16, FLOAT, FLOAT16, NodeProto, ValueInfoProto};

/// The axes of keys and values: batch, heads, positions and columns.
const RANK: usize = 4;

/// A graph whose past is empty, in place of one that is given the past. `None`
/// if it is not given any.
pub(super) fn without_past(graph: &Graph) -> Option<Graph> {
    let free: Vec<&str> = graph.free_inputs().collect();
    let inputs = graph.proto().input.iter();
    let pasts: BTreeMap<String, Past> = inputs
        .filter(|input| free.contains(&input.name.as_deref().unwrap_or_default()))
        .filter_map(|input| Some((input.name.clone()?, Past::declared(input)?)))
        .collect();
    if pasts.is_empty() {
        return None;
    }
    let mut graph = graph.clone();
    let proto = graph.proto_mut();
    (proto.input).retain(|input| !pasts.contains_key(input.name.as_deref().unwrap_or_default()));
    let nodes = mem::take(&mut proto.node);
    let mut writer = Writer::new(Builder::new(&graph));
    for (name, past) in &pasts {
        let sizes = writer.sizes(&past.sizes);
        let tensor = node("ConstantOfShape", "", &[&sizes], &[name]);
        writer.builder.push(tensor);
    }
    writer.pasts = pasts;
    for node in nodes {
        let node = writer.rewrite(node);
        writer.builder.push(node);
    }
    writer.builder.into_graph(&mut graph);
    graph.remove_dead_nodes();
    graph.remove_unused_initializers();
    Some(graph)
}

/// Leaves out what attention without a past would give to the next call, where
/// it is not read. Some versions of these operators have both or neither.
pub(super) fn drop_presents(graph: &mut Graph) {
    let index = ValueIndex::new(graph);
    let unread: Vec<Vec<bool>> = (graph.nodes().iter())
        .map(|node| {
            let is_optional = node.is("Attention") || node.is_contrib("MultiHeadAttention");
            let outputs = node.output.iter().enumerate();
            outputs
                .map(|(at, name)| is_optional && at > 0 && index.readers(name).is_empty())
                .collect()
        })
        .collect();
    for (node, unread) in graph.proto_mut().node.iter_mut().zip(unread) {
        for (name, is_unread) in node.output.iter_mut().zip(unread) {
            if is_unread {
                name.clear();
            }
        }
        trim(&mut node.output);
    }
}

/// The size of an axis of the past.
#[derive(Clone, Copy)]
enum Size {
    Batch,
    Known(i64),
}

/// Past keys or values of a layer; one of the axes has size 0.
#[derive(Clone)]
struct Past {
    sizes: [Size; RANK],
}

impl Past {
    /// What an input declares, if by its name and axes it is a past: those that
    /// vary are the batch and one other.
    fn declared(input: &ValueInfoProto) -> Option<Self> {
        let name = input.name.as_deref()?;
        let is_named =
            name.starts_with("past") && ["key", "value"].iter().any(|part| name.contains(part));
        let declared = Declared::of(input).filter(|_| is_named)?;
        let is_float = [FLOAT, FLOAT16, BFLOAT16].contains(&declared.element);
        let [None, others @ ..] = <[_; RANK]>::try_from(declared.shape?).ok()? else {
            return None;
        };
        let varying = others.iter().filter(|size| size.is_none()).count();
        let [one, two, three] = others.map(|size| Size::Known(size.unwrap_or(0) as i64));
        (is_float && varying == 1).then_some(Self {
            sizes: [Size::Batch, one, two, three],
        })
    }

    fn is_empty_along(&self, axis: i64) -> bool {
        let axis = if axis < 0 { axis + RANK as i64 } else { axis };
        let size = usize::try_from(axis)
            .ok()
            .and_then(|axis| self.sizes.get(axis));
        matches!(size, Some(Size::Known(0)))
    }

    fn transposed(&self, order: &[i64]) -> Option<Self> {
        let order = <[i64; RANK]>::try_from(order).ok()?;
        let mut sizes = self.sizes;
        for (size, at) in sizes.iter_mut().zip(order) {
            *size = *self.sizes.get(usize::try_from(at).ok()?)?;
        }
        Some(Self { sizes })
    }
}

struct Writer {
    builder: Builder,
    /// The number of texts, `[1]`.
    batch: String,
    pasts: BTreeMap<String, Past>,
}

impl Writer {
    fn new(mut builder: Builder) -> Self {
        let first = builder.ints(&[0]);
        let shape = builder.add("Shape", &["input_ids"]);
        Self {
            batch: builder.add("Gather", &[&shape, &first]),
            builder,
            pasts: BTreeMap::new(),
        }
    }

    /// Sizes as one value.
    fn sizes(&mut self, sizes: &[Size]) -> String {
        let parts: Vec<String> = (sizes.iter())
            .map(|size| match size {
                Size::Batch => self.batch.clone(),
                Size::Known(size) => self.builder.ints(&[*size]),
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let first = |node: NodeProto| node.with_int("axis", 0);
        self.builder.add_with("Concat", &parts, first)
    }

    /// A node without the past that it reads, if it does not need it.
    fn rewrite(&mut self, mut reader: NodeProto) -> NodeProto {
        if let Some([keys, values]) = places(&reader)
            && [keys, values].iter().all(|&at| {
                let name = reader.input.get(at);
                name.is_some_and(|name| self.pasts.contains_key(name))
            })
        {
            reader.input[keys].clear();
            reader.input[values].clear();
            trim(&mut reader.input);
            return reader;
        }
        if reader.is("Concat") {
            let axis = reader.int("axis", 0);
            let is_empty = |name: &String| {
                let past = self.pasts.get(name);
                past.is_some_and(|past| past.is_empty_along(axis))
            };
            if reader.input.iter().any(|name| !is_empty(name)) {
                reader.input.retain(|name| !is_empty(name));
                if let ([only], [output]) = (reader.input.as_slice(), reader.output.as_slice()) {
                    return node("Identity", "", &[only], &[output]);
                }
                return reader;
            }
        }
        let ([name], [output]) = (reader.input.as_slice(), reader.output.as_slice()) else {
            return reader;
        };
        let Some(past) = self.pasts.get(name).cloned() else {
            return reader;
        };
        if reader.is("Shape") {
            let end = |name: &str, default: i64| {
                let at = reader.int(name, default);
                let at = if at < 0 { at + RANK as i64 } else { at };
                at.clamp(0, RANK as i64) as usize
            };
            let range = end("start", 0)..end("end", RANK as i64);
            if let Some(sizes) = past.sizes.get(range).filter(|sizes| !sizes.is_empty()) {
                let sizes = self.sizes(sizes);
                return node("Identity", "", &[&sizes], &[output]);
            }
        }
        let moved = match reader.op_type.as_deref() {
            Some("Cast" | "Identity" | "Concat") => Some(past),
            Some("Transpose") => past.transposed(reader.ints("perm").unwrap_or(&[3, 2, 1, 0])),
            _ => None,
        };
        if let Some(moved) = moved {
            self.pasts.insert(output.clone(), moved);
        }
        reader
    }
}

/// The inputs of an operator that are past keys and values, and may be left out.
fn places(node: &NodeProto) -> Option<[usize; 2]> {
    if node.is("Attention") {
        Some([4, 5])
    } else if node.is_contrib("GroupQueryAttention") {
        Some([3, 4])
    } else if node.is_contrib("MultiHeadAttention") {
        Some([6, 7])
    } else {
        None
    }
}

/// Removes names that are left out at the end.
fn trim(names: &mut Vec<String>) {
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
}
