//! The rows of one head's queries, keys or values, as attention multiplies them.

use super::super::aligned::Aligned;
use super::super::isa::Isa;
use super::head::Head;
use super::norm::normalize;
use super::rows::{Shape, StridedRows};
use super::{HeadNorm, Rotation, Rows};

/// Rows of one head of one text, and what is done to them.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    rows: Rows<'a>,
    /// The first row of the text.
    first: usize,
    /// The first column of the head.
    column: usize,
    columns: usize,
    norm: Option<HeadNorm<'a>>,
    rotation: Option<Rotation<'a>>,
}

impl<'a> Head<'a> {
    #[inline(always)]
    pub(super) fn queries(&self) -> Input<'a> {
        let batch = self.batch;
        Input {
            norm: batch.norms.queries,
            rotation: batch.rotation,
            ..self.input(batch.queries, self.head)
        }
    }

    #[inline(always)]
    pub(super) fn keys(&self) -> Input<'a> {
        let batch = self.batch;
        Input {
            norm: batch.norms.keys,
            rotation: batch.rotation,
            ..self.input(batch.keys, self.key_head)
        }
    }

    #[inline(always)]
    pub(super) fn values(&self) -> Input<'a> {
        self.input(self.batch.values, self.key_head)
    }

    #[inline(always)]
    fn input(&self, rows: Rows<'a>, head: usize) -> Input<'a> {
        let columns = self.attention.columns;
        Input {
            rows,
            first: self.text * self.batch.length,
            column: head * columns,
            columns,
            norm: None,
            rotation: None,
        }
    }
}

impl<'a> Input<'a> {
    /// The row of a token, as it is stored.
    #[inline(always)]
    pub(super) fn row(&self, position: usize) -> &'a [f32] {
        self.rows
            .row(self.first + position, self.column, self.columns)
    }

    /// All rows, as they are stored.
    #[inline(always)]
    pub(super) fn stored(&self) -> StridedRows<'a> {
        let Rows {
            data,
            stride,
            offset,
        } = self.rows;
        StridedRows {
            data: &data[self.first * stride + offset + self.column..],
            stride,
        }
    }

    /// Whether rows are not multiplied as they are stored.
    #[inline(always)]
    pub(super) fn changes(&self) -> bool {
        self.norm.is_some() || self.rotation.is_some()
    }

    /// Writes the row of a token, normalized and rotated.
    // Modules for browsers have it once for each instruction set.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub(super) fn write<I: Isa>(&self, isa: I, position: usize, to: &mut [f32]) {
        to.copy_from_slice(self.row(position));
        if let Some(norm) = &self.norm {
            normalize(isa, norm, to);
        }
        if let Some(rotation) = &self.rotation {
            rotation.rotate(to, position);
        }
    }

    /// The rows, padded to `shape`: in place where nothing changes them, else in
    /// `scratch`.
    #[inline(always)]
    pub(super) fn padded<'s, I: Isa>(
        &self,
        isa: I,
        shape: Shape,
        scratch: &'s mut Aligned<f32>,
    ) -> StridedRows<'s>
    where
        'a: 's,
    {
        let width = shape.columns;
        if !self.changes() && self.columns == width {
            return self.stored();
        }
        scratch.resize(0, 0.);
        scratch.resize(shape.rows * width, 0.);
        for (at, padded) in scratch.chunks_exact_mut(width).enumerate() {
            self.write(isa, at, &mut padded[..self.columns]);
        }
        StridedRows {
            data: scratch,
            stride: width,
        }
    }
}
