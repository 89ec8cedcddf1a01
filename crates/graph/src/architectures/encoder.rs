//! What a family has written.

use super::draft::Inputs;
use super::heads::Heads;

/// The end of a graph, and what a configuration says of it.
pub(super) struct Encoder {
    /// The value of the last hidden states, which the last node computes.
    pub(super) output: String,
    pub(super) width: usize,
    pub(super) max_positions: Option<usize>,
    pub(super) inputs: Inputs,
    pub(super) heads: Heads,
}
