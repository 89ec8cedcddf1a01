//! What was recognised in a graph.

use std::fmt;

/// A struct of numbers, each with a name for people.
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
            /// How many numbers there are.
            pub const COUNT: usize = [$($label),*].len();

            /// All numbers, in the order of the fields.
            pub fn counts(&self) -> [usize; Self::COUNT] {
                [$(self.$field),*]
            }

            /// The opposite of [`counts`](Self::counts).
            pub fn from_counts(counts: [usize; Self::COUNT]) -> Self {
                let [$($field),*] = counts;
                Self { $($field),* }
            }

            /// The name of each number's field, and what it counts, in the
            /// same order.
            pub const NAMES: [(&'static str, &'static str); Self::COUNT] =
                [$((stringify!($field), $label)),*];
        }
    };
}

counts! {
    /// How many of each operator were recognised.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    Fused {
        /// Attention over all heads, with scale, mask, window and rotary embedding.
        attentions: "attentions",
        /// Of these, those with rotary embedding.
        rotary: "  with rotary embedding",
        /// Of these, those with a sliding window.
        windowed: "  with a sliding window",
        /// Layer normalizations.
        layer_normalizations: "layer normalizations",
        /// Gaussian error linear units, by erf or tanh.
        gelus: "GELUs",
        /// Linear layers, with bias, activation and residual.
        linears: "linear layers",
        /// Of these, those with 8-bit weights and dynamically quantized rows.
        quantized: "  quantized",
        /// Of these, those with a gate.
        gated: "  gated",
        /// Tables whose rows are looked up by token or position.
        embeddings: "embeddings",
        /// Of these, those of 8 bits.
        quantized_embeddings: "  quantized",
        /// L2 normalizations.
        l2_normalizations: "L2 normalizations",
        /// Nodes before.
        nodes_before: "nodes before",
        /// Nodes after.
        nodes_after: "nodes after",
    }
}

impl Fused {
    /// Whether nothing was recognised that an engine would not run as well
    /// from standard operators.
    pub fn is_plain(&self) -> bool {
        let gained = self.attentions + self.layer_normalizations + self.gelus + self.quantized;
        gained + self.quantized_embeddings == 0
    }

    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        let nodes = Self {
            nodes_before: 0,
            nodes_after: 0,
            ..*self
        };
        nodes == Self::default()
    }
}

impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attentions ({} rotary, {} windowed), {} layer normalizations, {} GELUs, \
             {} linear layers ({} quantized, {} gated), {} embeddings ({} quantized), \
             {} L2 normalizations; {} nodes, {} before",
            self.attentions,
            self.rotary,
            self.windowed,
            self.layer_normalizations,
            self.gelus,
            self.linears,
            self.quantized,
            self.gated,
            self.embeddings,
            self.quantized_embeddings,
            self.l2_normalizations,
            self.nodes_after,
            self.nodes_before
        )
    }
}
