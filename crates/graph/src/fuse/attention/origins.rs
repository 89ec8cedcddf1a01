//! What values of a graph depend on.

use std::collections::HashSet;

use crate::index::ValueIndex;
use crate::trace::Operands;

/// Which values depend on more than the shape of the texts.
pub(super) struct Origins<'g> {
    texts: HashSet<&'g str>,
    mask: HashSet<&'g str>,
}

impl<'g> Origins<'g> {
    pub(super) fn new(index: &ValueIndex<'g>) -> Self {
        let graph = index.graph();
        let (mut texts, mut mask) = (HashSet::new(), HashSet::new());
        for name in graph.free_inputs() {
            let set = match name {
                "attention_mask" => &mut mask,
                _ => &mut texts,
            };
            set.insert(name);
        }
        for node in graph.nodes() {
            if node.is("Shape") || node.is("Size") {
                continue;
            }
            for set in [&mut texts, &mut mask] {
                if node.input.iter().any(|name| set.contains(name.as_str())) {
                    set.extend(node.output.iter().map(String::as_str));
                }
            }
        }
        Self { texts, mask }
    }

    /// Whether a value depends on the texts, other than by their length.
    pub(super) fn has_texts(&self, value: &str) -> bool {
        self.texts.contains(value)
    }

    /// Whether a value depends on the attention mask.
    pub(super) fn has_mask(&self, value: &str) -> bool {
        self.mask.contains(value)
    }

    /// Tells two operands apart, if one of them depends on the texts.
    pub(super) fn operands<'a>(&self, inputs: &'a [String]) -> Option<Operands<'a>> {
        let [left, right] = inputs else { return None };
        let (opaque, known) = match (self.has_texts(left), self.has_texts(right)) {
            (true, false) => (left, right),
            (false, true) => (right, left),
            _ => return None,
        };
        Some(Operands { opaque, known })
    }
}
