//! The epilogue of a tile: activation function, residual and store, while its sums
//! are still in registers or in the nearest cache.

use std::ops::Range;

use super::super::exp::{
    gelu, gelu_tanh, quick_gelu, relu, relu_squared, rough_gelu, rough_gelu_tanh, rough_quick_gelu,
    rough_silu, silu,
};
use super::super::isa::{Isa, MAX_TILE, Vector};
use super::operands::Product;
use super::tile::{Strip, Tile};
use super::{Activation, Function};

impl Activation {
    /// Columns of the output that come from one panel.
    #[inline(always)]
    pub(super) fn width<I: Isa>(self) -> usize {
        if self.is_gated() {
            I::COLUMNS / 2
        } else {
            I::COLUMNS
        }
    }

    /// Applies it to a vector of each half of a panel. In a gated layer the
    /// second is the gate, and only the first result counts.
    #[inline(always)]
    fn apply<V: Vector, T: Tile<V>>(self, [left, right]: [V; 2]) -> [V; 2] {
        match self {
            Self::Each(function) => function.apply::<_, T, 2>([left, right]),
            Self::Gated(function) => [function.apply::<_, T, 1>([left])[0].mul(right), right],
        }
    }
}

impl Function {
    #[inline(always)]
    fn apply<V: Vector, T: Tile<V>, const COUNT: usize>(self, x: [V; COUNT]) -> [V; COUNT] {
        match (self, T::IS_ROUGH) {
            (Self::Identity, _) => x,
            (Self::Gelu, true) => rough_gelu(x),
            (Self::Gelu, false) => gelu(x),
            (Self::GeluTanh, true) => rough_gelu_tanh(x),
            (Self::GeluTanh, false) => gelu_tanh(x),
            (Self::Silu, true) => rough_silu(x),
            (Self::Silu, false) => silu(x),
            (Self::QuickGelu, true) => rough_quick_gelu(x),
            (Self::QuickGelu, false) => quick_gelu(x),
            (Self::Relu, _) => relu(x),
            (Self::ReluSquared, _) => relu_squared(x),
        }
    }
}

/// The part of the output that a tile computes.
pub(super) struct Destination<'a> {
    pub(super) product: &'a Product<'a>,
    pub(super) rows: Range<usize>,
    pub(super) panel: usize,
}

/// Where vectors are stored, and what is added to them.
struct Target {
    out: *mut f32,
    residual: Option<*const f32>,
}

/// Writes the outputs of a tile in one pass, since each pass through memory takes
/// a good part of the product's time. `partial` is scratch space for a panel that
/// is wider than what is left of the output's rows.
#[inline(always)]
pub(super) fn write<I: Isa, T: Tile<I::Vector>>(
    isa: I,
    destination: Destination<'_>,
    tile: &T,
    partial: &mut [f32; MAX_TILE],
) {
    let Destination {
        product,
        rows,
        panel,
    } = destination;
    let activation = product.linear.activation;
    let (half, width) = (I::COLUMNS / 2, activation.width::<I>());
    let count = width.min(product.linear.outer - panel * width);
    let outer = product.out.stride;
    let first = (panel - product.out.panel) * width;
    let (start, end) = (rows.start * outer + first, (rows.end - 1) * outer + first);
    let out = product.out.values.range(start..end + count);
    let residual = product.residual.map(|all| all[start..end + count].as_ptr());
    let is_partial = count < width;
    // One loop for both cases, so that each activation is compiled once.
    let (target, stride) = if is_partial {
        let target = Target {
            out: partial.as_mut_ptr(),
            residual: None,
        };
        (target, width)
    } else {
        (Target { out, residual }, outer)
    };
    for column in (0..half).step_by(I::Vector::LANES) {
        // SAFETY: `multiply_tiles` is called once for each row and panel, so no
        // other task writes here. Both targets have `rows.len()` rows of `width`
        // values, and `half` is a multiple of `LANES`.
        unsafe {
            let strips = [tile.strip(column), tile.strip(column + half)];
            for row in 0..rows.len() {
                let at = row * stride + column;
                let values = [strips[0].value(row), strips[1].value(row)];
                let [left, right] = activation.apply::<_, T>(values);
                target.store(isa, left, at);
                if half < width {
                    target.store(isa, right, at + half);
                }
            }
        }
    }
    if is_partial {
        for (row, values) in partial.chunks(width).take(rows.len()).enumerate() {
            for (column, value) in values.iter().enumerate().take(count) {
                let at = row * outer + column;
                // SAFETY: `out` and `residual` were checked above to have `count`
                // columns of each row; no other task writes here.
                unsafe { *out.add(at) = value + residual.map_or(0., |all| *all.add(at)) };
            }
        }
    }
}

impl Target {
    /// Stores a vector, plus that of the residual.
    ///
    /// # Safety
    /// Both `out` and `residual` have a vector at `at`, and nobody else accesses
    /// that of `out`.
    #[inline(always)]
    unsafe fn store<I: Isa>(&self, isa: I, value: I::Vector, at: usize) {
        // SAFETY: the caller passes the offset of a whole vector of both.
        unsafe {
            let value = match self.residual {
                Some(residual) => value.add(isa.load(residual.add(at))),
                None => value,
            };
            value.store(self.out.add(at));
        }
    }
}
