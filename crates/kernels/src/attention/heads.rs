//! The heads of all texts, one after the other.

use std::ops::Range;

use super::super::aligned::Aligned;
use super::super::isa::{Isa, entry};
use super::Precision;
use super::head::{Head, Heads};
use super::integers::Workspace;
use super::load::PackedHead;

entry! {
    /// Computes attention heads, see [`attend_heads`].
    attend, Attend<'a> = attend_heads(heads: &'a Heads<'a>, which: Range<usize>)
}

#[inline(always)]
fn attend_heads<I: Isa>(isa: I, heads: &Heads<'_>, which: Range<usize>) {
    let mut in_floats = Vec::new();
    match heads.batch.precision {
        Precision::Int8 if heads.attention.softcap.is_none() => {
            let mut workspace = Workspace::default();
            let mut all = which.map(|at| (at, Head::new(heads, at))).peekable();
            while let Some((at, head)) = all.next() {
                let next = all.peek().map(|(_, next)| next);
                if !head.attend_in_8_bits(isa, next, &mut workspace) {
                    in_floats.push(at);
                }
            }
        }
        // Few models have a cap: not worth the code in 8 bits.
        _ => in_floats.extend(which),
    }
    // One call for both precisions, since it is inlined and large.
    let mut packed = PackedHead::default();
    let mut scores = Aligned::new();
    for at in in_floats {
        Head::new(heads, at).attend(isa, &mut packed, &mut scores);
    }
}
