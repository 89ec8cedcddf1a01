//! From the sums of a tile to outputs, while they are still in registers or next
//! to them.

use std::ops::Range;

use super::super::exp::{gelu, gelu_tanh, rough_gelu, rough_gelu_tanh};
use super::super::isa::{Isa, LARGEST_TILE, Vector};
use super::Activation;
use super::product::Product;
use super::tile::{Strip, Tile};

impl Activation {
    /// Columns of the output that a panel makes.
    #[inline(always)]
    pub(super) fn width<I: Isa>(self) -> usize {
        match self.is_gated() {
            true => I::COLUMNS / 2,
            false => I::COLUMNS,
        }
    }

    /// What becomes of a vector in each half of a panel; of the first alone,
    /// where the second is its gate.
    #[inline(always)]
    fn of<V: Vector, T: Tile<V>>(self, [one, other]: [V; 2]) -> [V; 2] {
        match (self, T::IS_ROUGH) {
            (Self::None, _) => [one, other],
            (Self::Gelu, true) => rough_gelu([one, other]),
            (Self::Gelu, false) => [gelu(one), gelu(other)],
            (Self::GeluTanh, true) => rough_gelu_tanh([one, other]),
            (Self::GeluTanh, false) => [gelu_tanh(one), gelu_tanh(other)],
            (Self::GatedGelu, true) => [rough_gelu([one])[0].mul(other), other],
            (Self::GatedGelu, false) => [gelu(one).mul(other), other],
            (Self::GatedGeluTanh, true) => [rough_gelu_tanh([one])[0].mul(other), other],
            (Self::GatedGeluTanh, false) => [gelu_tanh(one).mul(other), other],
        }
    }
}

/// Writes outputs of some rows and a panel in one go: each step through memory
/// takes as long as some of the product. `part` is room for a panel that is not
/// whole, as the last of a row may be.
#[inline(always)]
pub(super) fn write<I: Isa, T: Tile<I::Vector>>(
    product: &Product<'_>,
    rows: Range<usize>,
    panel: usize,
    tile: &T,
    part: &mut [f32; LARGEST_TILE],
) {
    let activation = product.linear.activation;
    let (half, width) = (I::COLUMNS / 2, activation.width::<I>());
    let (outer, first) = (product.linear.outer, panel * width);
    let count = width.min(outer - first);
    let (start, end) = (rows.start * outer + first, (rows.end - 1) * outer + first);
    let out = product.out.range(start..end + count);
    let residual = product.residual.map(|all| all[start..end + count].as_ptr());
    let is_part = count < width;
    // One way for both, or there would be two of each activation.
    let (to, pitch, addend) = match is_part {
        true => (part.as_mut_ptr(), width, None),
        false => (out, outer, residual),
    };
    for column in (0..half).step_by(I::Vector::LANES) {
        // SAFETY: every row and panel is computed by one task alone; both places
        // have rows of this width, which is whole vectors.
        unsafe {
            let strips = [tile.strip(column), tile.strip(column + half)];
            for row in 0..rows.len() {
                let at = row * pitch + column;
                let values = [strips[0].value(row), strips[1].value(row)];
                let [one, other] = activation.of::<_, T>(values);
                put(one, addend, to, at);
                if half < width {
                    put(other, addend, to, at + half);
                }
            }
        }
    }
    if is_part {
        for (row, values) in part.chunks(width).take(rows.len()).enumerate() {
            for (column, value) in values.iter().enumerate().take(count) {
                let at = row * outer + column;
                // SAFETY: as above, for so many columns.
                unsafe { *out.add(at) = value + residual.map_or(0., |all| *all.add(at)) };
            }
        }
    }
}

/// Stores what a vector and the addend, if there is one, come to.
///
/// # Safety
/// Both have a vector there.
#[inline(always)]
unsafe fn put<V: Vector>(value: V, addend: Option<*const f32>, to: *mut f32, at: usize) {
    // SAFETY: the caller's.
    unsafe {
        let value = match addend {
            Some(addend) => value.add(V::load(addend.add(at))),
            None => value,
        };
        value.store(to.add(at));
    }
}
