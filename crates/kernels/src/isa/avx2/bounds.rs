//! Ranges of values whose products fit into 16 bits, see [`narrow`](super::narrow).

use super::super::token::{AttentionLevels, Candidate, Narrow};

/// Groups whose products are summed in 16 bits, in layers and in attention: with
/// more, sums overflow more often, with fewer, widening takes longer.
pub(super) const LAYER_GROUPS: usize = 3;
pub(super) const ATTENTION_GROUPS: usize = 2;

/// In steps of a tenth of a bit. The first are as exact as 8 bits, almost, for
/// layers with few large weights. With the last one, pairs never overflow.
pub(super) const LAYERS: Narrow = Narrow {
    groups: LAYER_GROUPS,
    lane: 2,
    is_centred: true,
    min_row: 128,
    candidates: &[
        Candidate {
            largest: 223,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 207,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 191,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 175,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 159,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 143,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 127,
            weights_per_correction: 96,
        },
    ],
};

/// Four keys or values of 7 bits times half of the range fit into 16 bits.
pub(super) const ATTENTION: AttentionLevels = AttentionLevels {
    unsigned: 254,
    signed: 64,
    subtracted: 127,
};
