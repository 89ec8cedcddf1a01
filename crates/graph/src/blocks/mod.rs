//! Parts of encoders in standard operators, in the forms that [`fuse`]
//! recognises.
//!
//! [`fuse`]: crate::fuse

mod activation;
mod attention;
mod convolution;
mod layers;
mod masks;
mod pooling;
mod rotary;
mod rows;

pub(crate) use activation::Activation;
pub(crate) use attention::{Attention, Heads};
pub(crate) use convolution::Convolution;
pub(crate) use layers::{l2_normalize, layer_norm, product, rms_norm};
pub(crate) use masks::{Mask, Pairs, Positions, after_padding, unsqueeze};
pub(crate) use pooling::pool_tokens;
pub(crate) use rotary::Rotary;
pub(crate) use rows::last_row;
