//! Counts of what was fused.

use std::fmt;

/// A struct of counts, each with a label for reports.
macro_rules! counts {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $label:literal,)* }
    ) => {
        $(#[$doc])*
        pub struct $name {
            $($(#[$field_doc])* pub $field: usize,)*
        }

        impl $name {
            /// The number of fields.
            pub const COUNT: usize = [$($label),*].len();

            /// All counts, in the order of the fields.
            pub fn counts(&self) -> [usize; Self::COUNT] {
                [$(self.$field),*]
            }

            /// Restores what [`counts`](Self::counts) returned.
            pub fn from_counts(counts: [usize; Self::COUNT]) -> Self {
                let [$($field),*] = counts;
                Self { $($field),* }
            }

            /// The name and the label of each field, in order.
            pub const NAMES: [(&'static str, &'static str); Self::COUNT] =
                [$((stringify!($field), $label)),*];
        }
    };
}

counts! {
    /// What [`fuse`](crate::fuse) recognised, by operator.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[non_exhaustive]
    Fused {
        /// Attention over all heads, with scale, mask, window and rotary embedding.
        attentions: "attentions",
        /// Attentions with rotary embedding.
        rotary: "  with rotary embedding",
        /// Attentions with a sliding window, to both sides or before a token alone.
        windowed: "  with a sliding window",
        /// Attentions in which a token does not see those after it.
        causal: "  causal",
        /// Attentions whose keys and values have fewer heads than queries.
        grouped: "  with grouped queries",
        /// Attentions that normalize the heads of queries and keys.
        head_norms: "  with norms of heads",
        /// Attentions that add numbers to the scores by positions alone.
        biased: "  with a bias",
        /// Layer normalizations.
        layer_normalizations: "layer normalizations",
        /// RMS normalizations, but those that are a part of attention.
        rms_normalizations: "RMS normalizations",
        /// Gaussian error linear units, exact or approximated by tanh.
        gelus: "GELUs",
        /// Sigmoid and rectified linear units.
        activations: "other activations",
        /// Linear layers, with bias, activation and residual.
        linears: "linear layers",
        /// Linear layers with 8-bit weights and dynamically quantized rows.
        quantized: "  quantized",
        /// Linear layers with a gate: one that is cut in halves, or two whose outputs
        /// are multiplied.
        gated: "  gated",
        /// Tables whose rows are looked up by token or position.
        embeddings: "embeddings",
        /// Embeddings with tables of 8-bit integers.
        quantized_embeddings: "  quantized",
        /// L2 normalizations.
        l2_normalizations: "L2 normalizations",
        /// Gated short convolutions.
        short_convolutions: "short convolutions",
        /// Nodes of the original graph.
        nodes_before: "nodes before",
        /// Nodes of the fused graph.
        nodes_after: "nodes after",
    }
}

impl Fused {
    /// Whether an engine would run the original graph as fast: nothing but
    /// linear layers, embeddings and L2 normalizations of floats was fused.
    pub fn is_plain(&self) -> bool {
        let faster = self.attentions + self.layer_normalizations + self.rms_normalizations;
        let faster = faster + self.gelus + self.activations + self.quantized;
        let faster = faster + self.short_convolutions;
        faster + self.quantized_embeddings == 0
    }

    /// Whether nothing was fused.
    pub fn is_empty(&self) -> bool {
        let nodes = Self {
            nodes_before: 0,
            nodes_after: 0,
            ..*self
        };
        nodes == Self::default()
    }
}

/// What was found, without what was not.
impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OPERATORS: usize = Fused::COUNT - 2;
        let mut text = String::new();
        let mut is_open = false;
        for ((_, label), count) in Self::NAMES.iter().zip(self.counts()).take(OPERATORS) {
            let part = label.strip_prefix("  ");
            if count == 0 {
                continue;
            }
            text += match part {
                Some(_) if !is_open => " (",
                None if is_open => "), ",
                None if text.is_empty() => "",
                _ => ", ",
            };
            text += &format!("{count} {}", part.unwrap_or(label));
            is_open = part.is_some();
        }
        if text.is_empty() {
            text += "nothing";
        } else if is_open {
            text += ")";
        }
        let (after, before) = (self.nodes_after, self.nodes_before);
        write!(f, "{text}; {after} nodes, {before} before")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_what_was_found() {
        let mut fused = Fused {
            nodes_before: 9,
            nodes_after: 3,
            ..Fused::default()
        };
        assert_eq!(fused.to_string(), "nothing; 3 nodes, 9 before");
        (fused.attentions, fused.rotary, fused.causal) = (2, 2, 1);
        fused.rms_normalizations = 5;
        (fused.linears, fused.gated) = (4, 2);
        assert_eq!(
            fused.to_string(),
            "2 attentions (2 with rotary embedding, 1 causal), 5 RMS normalizations, \
             4 linear layers (2 gated); 3 nodes, 9 before"
        );
    }
}
