//! Embeddings out of arrays.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int8Type, UInt8Type, UInt32Type};
use arrow_array::{Array, FixedSizeListArray, Float32Array, GenericListArray, OffsetSizeTrait};
use arrow_schema::DataType;
use multivec_core::{DenseEmbedding, Embedding, Error, Result, SparseEmbedding};

use crate::arrays::EmbeddingArrays;

impl EmbeddingArrays {
    /// The multi-vector embeddings, `[rows, dim]`, of an array of lists, or
    /// lists with 64-bit offsets, of rows; `None` for nulls. `dim` tells how
    /// many columns the last byte of bits has.
    ///
    /// Numbers in less precision are what they stand for in a corpus: integers
    /// are multiplied with the scale of their row, and bits are
    /// `±1 / sqrt(dim)`.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for an array of another type, integers without
    /// scales, and nulls in rows, [`Error::DimensionMismatch`] for rows of
    /// another length.
    pub fn multi_vectors(&self, dim: usize) -> Result<Vec<Option<Embedding>>> {
        let values = self.values.as_ref();
        match values.data_type() {
            DataType::List(_) => self.lists(values.as_list_opt::<i32>(), dim),
            DataType::LargeList(_) => self.lists(values.as_list_opt::<i64>(), dim),
            other => Err(unexpected("lists of rows", other)),
        }
    }

    /// The dense embeddings, `[dim]`, of an array of rows; `None` for nulls.
    /// Numbers are those of [`multi_vectors`](Self::multi_vectors).
    ///
    /// # Errors
    /// Those of [`multi_vectors`](Self::multi_vectors).
    pub fn dense(&self, dim: usize) -> Result<Vec<Option<DenseEmbedding>>> {
        let rows = Rows::new(self.values.as_ref(), self.scales.as_deref(), dim)?;
        let row = |at| {
            let is_valid = self.values.is_valid(at);
            let row = is_valid.then(|| rows.read(at..at + 1));
            Ok(row.transpose()?.map(DenseEmbedding::new))
        };
        (0..self.values.len()).map(row).collect()
    }

    /// The sparse embeddings of an array of `Struct<indices, values>`, of a
    /// vocabulary of `dim` tokens; `None` for nulls.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for an array of another type, and those of
    /// [`SparseEmbedding::new`].
    pub fn sparse(&self, dim: usize) -> Result<Vec<Option<SparseEmbedding>>> {
        const EXPECTED: &str =
            "Struct<indices: LargeList<UInt32>, values: LargeList<Float32>>, without nulls in it";
        let wrong = || unexpected(EXPECTED, self.values.data_type());
        let array = self.values.as_struct_opt().ok_or_else(wrong)?;
        let part = |name| {
            let part = array.column_by_name(name);
            part.and_then(|part| part.as_list_opt::<i64>())
                .ok_or_else(wrong)
        };
        let (indices, values) = (part("indices")?, part("values")?);
        let embedding = |at: usize| {
            if array.is_null(at) {
                return Ok(None);
            }
            let (indices, values) = (indices.value(at), values.value(at));
            let indices = indices.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
            let values = values.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
            if indices.null_count() + values.null_count() > 0 {
                return Err(wrong());
            }
            let (indices, values) = (indices.values().to_vec(), values.values().to_vec());
            SparseEmbedding::new(indices, values, dim).map(Some)
        };
        (0..array.len()).map(embedding).collect()
    }

    fn lists<O: OffsetSizeTrait>(
        &self,
        lists: Option<&GenericListArray<O>>,
        dim: usize,
    ) -> Result<Vec<Option<Embedding>>> {
        let lists = lists.ok_or_else(|| unexpected("lists of rows", self.values.data_type()))?;
        let scales = self
            .scales
            .as_deref()
            .map(|scales| scales_of(lists, scales));
        let scales = scales.transpose()?;
        let rows = Rows::new(lists.values().as_ref(), scales, dim)?;
        if rows.rows.null_count() > 0 {
            return Err(unexpected("lists of rows", "a row that is null"));
        }
        let list = |at: usize| {
            if lists.is_null(at) {
                return Ok(None);
            }
            let [start, end] = [at, at + 1].map(|at| lists.offsets()[at].as_usize());
            Embedding::from_rows(rows.read(start..end)?, dim).map(Some)
        };
        (0..lists.len()).map(list).collect()
    }
}

/// The scales of all rows, of lists as long as those of the rows.
fn scales_of<'a, O: OffsetSizeTrait>(
    lists: &GenericListArray<O>,
    scales: &'a dyn Array,
) -> Result<&'a dyn Array> {
    let scales = scales
        .as_list_opt::<O>()
        .ok_or_else(|| unexpected("lists of scales", scales.data_type()))?;
    if scales.offsets() != lists.offsets() {
        return Err(unexpected("a scale for each row", "lists of other lengths"));
    }
    Ok(scales.values().as_ref())
}

/// Rows of an array, of one of the precisions.
struct Rows<'a> {
    rows: &'a FixedSizeListArray,
    scales: Option<&'a Float32Array>,
    dim: usize,
}

impl<'a> Rows<'a> {
    fn new(rows: &'a dyn Array, scales: Option<&'a dyn Array>, dim: usize) -> Result<Self> {
        let rows = rows
            .as_fixed_size_list_opt()
            .ok_or_else(|| unexpected("rows, FixedSizeList", rows.data_type()))?;
        let columns = match rows.value_type() {
            DataType::UInt8 => dim.div_ceil(8),
            _ => dim,
        };
        let found = rows.value_length() as usize;
        if found != columns || dim == 0 {
            return Err(Error::dimension_mismatch("rows", columns, found));
        }
        if rows.values().null_count() > 0 {
            return Err(unexpected("rows of numbers", "null in a row"));
        }
        let scales = scales.map(|scales| {
            let floats = scales.as_primitive_opt::<Float32Type>();
            floats.ok_or_else(|| unexpected("scales, Float32", scales.data_type()))
        });
        let scales = scales.transpose()?;
        if let Some(scales) = scales.filter(|scales| scales.len() != rows.len()) {
            return Err(Error::dimension_mismatch(
                "scales",
                rows.len(),
                scales.len(),
            ));
        }
        Ok(Self { rows, scales, dim })
    }

    /// The numbers of rows, one after the other.
    fn read(&self, range: std::ops::Range<usize>) -> Result<Vec<f32>> {
        let size = self.rows.value_length() as usize;
        let within = range.start * size..range.end * size;
        let values = self.rows.values();
        if let Some(floats) = values.as_primitive_opt::<Float32Type>() {
            return Ok(floats.values()[within].to_vec());
        }
        if let Some(halves) = values.as_primitive_opt::<Float16Type>() {
            let halves = halves.values()[within].iter();
            return Ok(halves.map(|half| half.to_f32()).collect());
        }
        if let Some(integers) = values.as_primitive_opt::<Int8Type>() {
            let scales = self
                .scales
                .ok_or_else(|| unexpected("a column of scales", "none"))?;
            let scales = &scales.values()[range];
            let rows = integers.values()[within].chunks_exact(size).zip(scales);
            return Ok(rows
                .flat_map(|(row, scale)| row.iter().map(move |&value| f32::from(value) * scale))
                .collect());
        }
        if let Some(bytes) = values.as_primitive_opt::<UInt8Type>() {
            let length = 1. / (self.dim as f32).sqrt();
            let sign = move |is_set: bool| if is_set { length } else { -length };
            let rows = bytes.values()[within].chunks_exact(size);
            return Ok(rows
                .flat_map(|row| (0..self.dim).map(move |at| sign(row[at / 8] >> (at % 8) & 1 == 1)))
                .collect());
        }
        let expected = "rows of Float32, Float16, Int8 or UInt8";
        Err(unexpected(expected, self.rows.value_type()))
    }
}

fn unexpected(expected: &str, found: impl std::fmt::Display) -> Error {
    Error::invalid_file("column of embeddings", expected, found)
}
