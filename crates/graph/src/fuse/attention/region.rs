//! The nodes between rows of tokens and the heads that are made of them.

use std::collections::{BTreeSet, HashSet};

use super::head_norm::{HeadNorm, KnownNorm};
use super::layout::Layout;
use super::origins::Origins;
use crate::fuse::LENGTH;
use crate::trace::Trace;

/// What is found on the way from heads up to the rows of tokens.
#[derive(Default)]
pub(super) struct Region<'g> {
    /// The rows.
    pub(super) base: &'g str,
    /// Values that do not depend on the texts, with which others are multiplied.
    factors: BTreeSet<&'g str>,
    /// Numbers that may be those of a norm.
    epsilons: Vec<f32>,
}

/// More nodes than any exporter writes between rows and heads.
const MOST: usize = 96;

impl<'g> Region<'g> {
    /// Goes up to the first value of rows in any layout, or to those above it if
    /// its heads have been apart before: some exporters normalize them as
    /// `[batch, length * heads, columns]`. The farthest is the first.
    pub(super) fn all_above(trace: &Trace<'g>, origins: &Origins<'g>, value: &'g str) -> Vec<Self> {
        let near = Self::above(trace, origins, [value, ""]);
        let joined = near.as_ref().map(|near| near.base);
        let was_apart = |joined: &&str| {
            let joins = trace.index().made_by(joined, "Reshape");
            let heads = joins.and_then(|node| trace.shape(node.input.first()?));
            heads.is_some_and(|heads| Layout::candidates(heads).is_empty())
        };
        let joined = joined.filter(was_apart);
        let far = joined.and_then(|joined| Self::above(trace, origins, [value, joined]));
        far.into_iter().chain(near).collect()
    }

    /// Goes up to the first value of rows in any layout other than `beyond`.
    /// `None` if there are several.
    fn above(
        trace: &Trace<'g>,
        origins: &Origins<'g>,
        [value, beyond]: [&'g str; 2],
    ) -> Option<Self> {
        let mut region = Self::default();
        let mut open = vec![value];
        let mut visited = HashSet::new();
        let mut bases = BTreeSet::new();
        while let Some(value) = open.pop() {
            if !visited.insert(value) {
                continue;
            }
            (visited.len() <= MOST).then_some(())?;
            let shape = trace.shape(value)?;
            if value != beyond && !Layout::candidates(shape).is_empty() {
                bases.insert(value);
                continue;
            }
            let node = trace.index().producer(value)?;
            let is_product = node.is("Mul") || node.is("Div");
            let is_norm = ["RMSNormalization", "SimplifiedLayerNormalization"]
                .iter()
                .any(|name| node.is(name));
            for name in node.input.iter().filter(|name| !name.is_empty()) {
                if origins.has_texts(name) {
                    open.push(name);
                } else if is_product || is_norm {
                    region.factors.insert(name);
                } else if node.is("Add") {
                    region.epsilons.extend(trace.get(name)?.uniform());
                }
            }
            if is_norm {
                region.epsilons.push(node.float("epsilon", 1e-5));
            }
        }
        let mut bases = bases.into_iter();
        region.base = bases.next()?;
        bases.next().is_none().then_some(())?;
        // Factors of all elements are parts of the scale.
        for _ in 0..4 {
            match scaled(trace, origins, region.base) {
                Some(inner) => region.base = inner,
                None => break,
            }
        }
        Some(region)
    }

    /// The values that may be tables of a rotary embedding: those with a row for
    /// each position.
    pub(super) fn tables(&self, trace: &Trace<'g>) -> Vec<&'g str> {
        let is_table = |name: &&&str| {
            trace.get(name).is_some_and(|value| {
                let rows = value.shape().split_last().map(|(_, rows)| rows);
                rows.is_some_and(|rows| rows.contains(&LENGTH)) && value.uniform().is_none()
            })
        };
        self.factors.iter().filter(is_table).copied().collect()
    }

    /// The norms of heads that there may be.
    pub(super) fn norms(&self, trace: &Trace<'g>, columns: usize) -> Vec<KnownNorm> {
        let scales = self.factors.iter().filter_map(|&name| {
            let scale = trace.get(name)?.floats()?;
            (scale.len() == columns).then_some((name, scale))
        });
        let norms = scales.flat_map(|(name, scale)| {
            self.epsilons.iter().map(move |&epsilon| KnownNorm {
                norm: HeadNorm {
                    scale: name.to_owned(),
                    epsilon,
                },
                scale: scale.clone(),
            })
        });
        norms.collect()
    }
}

/// The rows that `value` is a multiple of.
fn scaled<'g>(trace: &Trace<'g>, origins: &Origins<'g>, value: &str) -> Option<&'g str> {
    let node = trace.index().producer(value)?;
    let rows = match node.op_type.as_deref()? {
        "Mul" => {
            let operands = origins.operands(&node.input)?;
            trace.get(operands.known)?.uniform()?;
            operands.opaque
        }
        "Div" => {
            trace.get(node.input.get(1)?)?.uniform()?;
            node.input.first()?.as_str()
        }
        _ => return None,
    };
    (trace.shape(rows) == trace.shape(value)).then_some(rows)
}
