//! The ONNX operators of encoders as tract's, one function each.
//!
//! tract-onnx has many more. All of them would be in every module for
//! browsers, where encoders need only these.

mod activation;
mod broadcast;
mod combine;
mod convolution;
mod elementwise;
mod fused;
mod logic;
mod normalize;
mod pad;
mod product;
mod quantize;
mod range;
mod reduce;
mod scatter;
mod select;
mod shape;
mod slice;

use tract_core::internal::*;

use super::node::Node;

/// Wires a node's operator; the outlets are its outputs, in order.
pub(super) type Operator = fn(&mut Node<'_>) -> TractResult<TVec<OutletId>>;

/// The operator of that name, see `NodeProto::operator`.
pub(super) fn find(name: &str) -> Option<Operator> {
    let tables = [
        activation::find,
        combine::find,
        convolution::find,
        elementwise::find,
        fused::find,
        logic::find,
        normalize::find,
        pad::find,
        product::find,
        quantize::find,
        range::find,
        reduce::find,
        scatter::find,
        select::find,
        shape::find,
        slice::find,
    ];
    tables.iter().find_map(|find| find(name))
}
