//! What a kernel asks of an instruction set.

mod transpose;

use super::Vector;

/// The largest number above the low bits of [`Isa::look_up`]: that of four integers
/// of 8 bits.
pub(crate) const MAX_HIGH: usize = (4 * 127) >> 4;
/// Lookups whose high bits fit into 8 when they are added up.
#[allow(dead_code, reason = "products are faster on some platforms")]
pub(crate) const MAX_LOOKUPS: usize = u8::MAX as usize / MAX_HIGH;

/// Rows in memory, each `stride` elements after the one before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<P> {
    /// Address of the first row.
    pub(crate) first: P,
    /// Elements from a row to the next.
    pub(crate) stride: usize,
}

/// Products of small tiles, the inner loops of all kernels, and what they read.
///
/// Weights are in panels of `COLUMNS` columns, `[groups, COLUMNS, GROUP]`: a
/// group is the rows of weights that one instruction multiplies and adds.
///
/// # Safety
/// Values of the type must exist only where the machine has its instructions.
pub(crate) unsafe trait Isa: Copy + Send + Sync + 'static {
    /// Floats that one instruction works on. `COLUMNS` is a multiple of
    /// `2 * LANES`.
    type Vector: Vector;
    /// A quantized value of the left factor.
    type Quantized: Copy + Default + Into<i32> + Send + Sync;
    /// A weight as the product reads it.
    type Weight: Copy + Default + 'static;
    /// Rows of weights in a group.
    const GROUP: usize;
    /// Most rows of a tile.
    const ROWS: usize;
    /// Columns of a tile.
    const COLUMNS: usize;
    /// Blocks of a row with a scale each: with fewer bits, rows need more
    /// scales.
    const BLOCKS: usize = 1;
    /// The largest quantized value of [`multiply_integers`](Self::multiply_integers);
    /// the least is 0.
    const MAX_QUANTIZED: i32;
    /// Whether quantized values are stored less the zero point of their row.
    const CENTRED: bool;
    /// Subtracted from quantized values where they are stored, if they are not
    /// centred.
    const OFFSET: i32 = 0;
    /// The stored value that multiplies by 1, whatever the offset.
    const ONE: Self::Quantized;
    /// Bounds of [`multiply_narrow`](Self::multiply_narrow), where the
    /// instruction set has such a product.
    const NARROW: Option<Narrow> = None;
    /// The range of what attention multiplies.
    const ATTENTION: AttentionLevels = AttentionLevels {
        unsigned: Self::MAX_QUANTIZED,
        ..AttentionLevels::EIGHT_BITS
    };

    /// Whether [`multiply_wide`](Self::multiply_wide) is faster than
    /// [`multiply_integers`](Self::multiply_integers).
    const IS_WIDE: bool = false;

    /// Rows of bits whose sums are looked up at a time, see
    /// [`look_up`](Self::look_up); 0 where products are faster.
    const LOOKUP: usize = 0;

    /// The token, if the machine has the instructions.
    fn detect() -> Option<Self>;

    /// Runs a kernel, compiled for these instructions.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;

    /// A vector with `value` in each lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// # Safety
    /// `at` has a vector of floats.
    unsafe fn load(self, at: *const f32) -> Self::Vector;

    /// Integers as floats.
    ///
    /// # Safety
    /// `at` has a vector of integers.
    unsafe fn load_integers(self, at: *const i32) -> Self::Vector;

    /// Integers less `zero` times `others`, as floats.
    ///
    /// # Safety
    /// `at` and `others` have a vector of integers each.
    unsafe fn load_integers_less(
        self,
        at: *const i32,
        zero: i32,
        others: *const i32,
    ) -> Self::Vector;

    /// Quantizes values that were divided by the scale of their row: rounds to
    /// nearest, ties to even, adds the zero point and clamps to
    /// the levels; centred ones have it subtracted again.
    ///
    /// # Safety
    /// `at` has room for a vector of quantized values. Values are finite.
    unsafe fn quantize(self, values: Self::Vector, levels: Levels, at: *mut Self::Quantized);

    /// [`quantize`](Self::quantize) for four vectors, where that takes fewer
    /// instructions.
    ///
    /// # Safety
    /// `at` has room for four vectors of quantized values. Values are finite.
    #[inline(always)]
    unsafe fn quantize_four(
        self,
        values: [Self::Vector; 4],
        levels: Levels,
        at: *mut Self::Quantized,
    ) {
        for (part, values) in values.into_iter().enumerate() {
            // SAFETY: the caller provides room for four vectors.
            unsafe { self.quantize(values, levels, at.add(part * Self::Vector::LANES)) };
        }
    }

    /// Quantizes keys to signed 8 bits around 0: each row times its factor
    /// becomes a column of the panel. `scratch` is as long as the panel.
    ///
    /// # Safety
    /// There is a row of `width` floats for each factor; `width` is a multiple
    /// of `LANES` and `GROUP`, and the panel has `COLUMNS * width` places. The
    /// products are in `-127..=127`.
    #[inline(always)]
    unsafe fn quantize_keys(
        self,
        rows: Strided<*const f32>,
        factors: &[f32],
        panel: &mut [i8],
        scratch: &mut [i8],
    ) {
        // SAFETY: the contract is the same.
        unsafe { transpose::keys(self, rows, factors, panel, scratch) }
    }

    /// Quantizes `count` rows of `COLUMNS` values to signed 8 bits around 0, a
    /// factor for each column, as the first rows of a panel. The last group is
    /// filled up with zeros.
    ///
    /// # Safety
    /// There are `count` rows. The products are in `-127..=127`.
    #[inline(always)]
    unsafe fn quantize_values(
        self,
        rows: Strided<*const f32>,
        count: usize,
        factors: &[f32],
        panel: &mut [i8],
    ) {
        // SAFETY: the contract is the same.
        unsafe { transpose::values(self, rows, count, factors, panel) }
    }

    /// Values of a block, of a row of `count`; the last block may be shorter.
    #[inline(always)]
    fn block_size(count: usize) -> usize {
        count.div_ceil(Self::BLOCKS).next_multiple_of(Self::GROUP)
    }

    /// A panel of 8-bit weights as the product reads them, in `scratch` where
    /// they have to be widened.
    fn widen<'a>(self, panel: &'a [i8], scratch: &'a mut Vec<Self::Weight>) -> &'a [Self::Weight];

    /// `sums[row, column] = rows[row] . weights[column]` for `count` rows.
    ///
    /// # Safety
    /// There are `count` rows of `groups` groups, `weights` has `groups`
    /// groups, `sums` has room for `[count, COLUMNS]`, and `count` is
    /// `1..=ROWS`.
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const Self::Quantized>,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    );

    /// [`multiply_integers`](Self::multiply_integers), faster, for weights that
    /// [`NARROW`](Self::NARROW) allows. `middle` is subtracted from values: half of
    /// their range if that is centred, else 0.
    ///
    /// # Safety
    /// That of [`multiply_integers`](Self::multiply_integers).
    #[inline(always)]
    unsafe fn multiply_narrow(
        self,
        count: usize,
        rows: Strided<*const Self::Quantized>,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
        _middle: i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe { self.multiply_integers(count, rows, weights, groups, sums) }
    }

    /// [`multiply_integers`](Self::multiply_integers) for rows of 0 and 1, of any
    /// weights but -128.
    ///
    /// # Safety
    /// That of [`multiply_integers`](Self::multiply_integers).
    #[inline(always)]
    unsafe fn multiply_bits(
        self,
        count: usize,
        rows: Strided<*const Self::Quantized>,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same. No weights are too large for 0 and 1.
        unsafe { self.multiply_narrow(count, rows, weights, groups, sums, 0) }
    }

    /// A stored 0 or [`ONE`](Self::ONE) for each bit, the lowest of each byte first.
    #[inline(always)]
    fn spread(self, bits: [u8; 4], to: &mut [Self::Quantized; 32]) {
        let one = |bit: u8| match bit {
            0 => Self::Quantized::default(),
            _ => Self::ONE,
        };
        for (places, byte) in to.as_chunks_mut::<8>().0.iter_mut().zip(bits) {
            *places = std::array::from_fn(|at| one(byte >> at & 1));
        }
    }

    /// Sums of numbers in `count` tables, one of each table, for `vectors` vectors of
    /// [`LOOKUP`](Self::LOOKUP) sums. The largest of all are among the maxima
    /// afterwards, at any place, if they are larger. A table has 16 numbers: the low
    /// 4 bits of all, then the others, at most [`MAX_HIGH`].
    ///
    /// # Safety
    /// `places` has `[count, vectors, LOOKUP]` numbers below 16, `tables` has
    /// `[count, 32]` bytes, `most` has `LOOKUP / 2` maxima, `vectors` is `1..=4`, and
    /// sums fit into 16 bits. `LOOKUP` is not 0.
    #[inline(always)]
    unsafe fn look_up(
        self,
        vectors: usize,
        places: *const u8,
        tables: *const u8,
        count: usize,
        most: *mut u16,
    ) {
        let _ = (vectors, places, tables, count, most);
        unreachable!("sums that are looked up")
    }

    /// [`multiply_integers`](Self::multiply_integers) for queries and keys within
    /// [`ATTENTION`](Self::ATTENTION).
    ///
    /// # Safety
    /// That of [`multiply_integers`](Self::multiply_integers).
    #[inline(always)]
    unsafe fn multiply_queries(
        self,
        count: usize,
        rows: Strided<*const Self::Quantized>,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe { self.multiply_integers(count, rows, weights, groups, sums) }
    }

    /// [`multiply_integers`](Self::multiply_integers) for weights of keys, and values,
    /// within [`ATTENTION`](Self::ATTENTION).
    ///
    /// # Safety
    /// That of [`multiply_integers`](Self::multiply_integers).
    #[inline(always)]
    unsafe fn multiply_weights(
        self,
        count: usize,
        rows: Strided<*const Self::Quantized>,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the contract is the same.
        unsafe { self.multiply_integers(count, rows, weights, groups, sums) }
    }

    /// `sums[row, column] = rows[row] . weights[column]` for `count` rows, of signed
    /// integers in 16 bits that fit into 8, where [`IS_WIDE`](Self::IS_WIDE) says
    /// so. Weights are `[pairs, COLUMNS, 2]`.
    ///
    /// # Safety
    /// There are `count` rows of `pairs` pairs, `weights` has `pairs` pairs,
    /// `sums` has room for `[count, COLUMNS]`, and `count` is `1..=ROWS`.
    #[inline(always)]
    unsafe fn multiply_wide(
        self,
        count: usize,
        rows: Strided<*const i16>,
        weights: *const i16,
        pairs: usize,
        sums: *mut i32,
    ) {
        let _ = (count, rows, weights, pairs, sums);
        unreachable!("a product of 16 bits")
    }

    /// `sums[row, column] = rows[row] . panel[.., column]` for `count` rows.
    ///
    /// # Safety
    /// There are `count` rows of `depth` floats, `panel` is
    /// `[depth, COLUMNS]`, `sums` has `count` rows of `COLUMNS` floats, and
    /// `count` is `1..=ROWS`.
    unsafe fn multiply_floats(
        self,
        count: usize,
        rows: Strided<*const f32>,
        panel: *const f32,
        depth: usize,
        sums: Strided<*mut f32>,
    );

    /// Prefetches a cache line for reading, where there is an instruction for
    /// it.
    #[inline(always)]
    fn prefetch_read(_: *const f32) {}

    /// Prefetches a cache line for writing.
    #[inline(always)]
    fn prefetch_write(_: *const f32) {}
}

/// Work that is compiled for each instruction set.
pub(crate) trait Kernel {
    type Output;

    /// Does the work; always inlined into [`Isa::run`].
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Which quantized values there are: `0..=largest`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    /// That of 0.
    pub(crate) zero: i32,
    /// [`Isa::MAX_QUANTIZED`], or less where an instruction set has a product for
    /// less.
    pub(crate) largest: i32,
}

/// Ranges of what attention multiplies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttentionLevels {
    /// The largest query, or weight of a key; the least is 0.
    pub(crate) unsigned: i32,
    /// The largest magnitude of keys and values.
    pub(crate) signed: i32,
    /// What [`Isa::multiply_queries`] subtracts from queries.
    pub(crate) subtracted: i32,
}

impl AttentionLevels {
    pub(crate) const EIGHT_BITS: Self = Self {
        unsigned: 255,
        signed: 127,
        subtracted: 0,
    };
}

/// Products that are first summed in 16 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrow {
    /// Groups that are summed in 16 bits.
    pub(crate) groups: usize,
    /// Rows of weights of a group that are summed in one lane.
    pub(crate) lane: usize,
    /// Whether the middle of the range is subtracted from values in sums of several
    /// groups.
    pub(crate) is_centred: bool,
    /// Fewest values of a row: shorter ones gain little, and keep all their bits.
    pub(crate) min_row: usize,
    /// Ranges of quantized values, the largest first.
    pub(crate) candidates: &'static [Candidate],
}

/// A range of quantized values, and when a layer has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The largest quantized value.
    pub(crate) largest: i32,
    /// Of at least so many weights one may need a correction.
    pub(crate) weights_per_correction: usize,
}
