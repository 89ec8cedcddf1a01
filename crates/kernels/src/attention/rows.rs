//! Rows of floats, and their shape.

/// Rows in memory, perhaps with other columns beside them.
#[derive(Clone, Copy)]
pub(super) struct StridedRows<'a> {
    pub(super) data: &'a [f32],
    /// Floats from one row to the next.
    pub(super) stride: usize,
}

/// The size of a matrix.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
}
