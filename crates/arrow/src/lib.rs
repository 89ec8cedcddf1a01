//! Texts out of Apache Arrow arrays, and embeddings in and out of them.
//!
//! ```
//! use multivec_arrow::{MultiVectorBuilder, Texts};
//! use multivec_arrow::arrow_array::StringArray;
//! use multivec_core::Embedding;
//! use multivec_core::corpus::VectorPrecision;
//!
//! let column = StringArray::from(vec![Some("a text"), None]);
//! let mut builder = MultiVectorBuilder::new(2, VectorPrecision::F16)?;
//! for text in Texts::new("text", &column)?.iter() {
//!     match text {
//!         Some(_) => builder.push(&Embedding::from_rows(vec![0.6, 0.8], 2)?)?,
//!         None => builder.push_null(),
//!     }
//! }
//! let arrays = builder.finish()?;
//! assert_eq!(arrays.values.len(), 2);
//! assert_eq!(arrays.values.null_count(), 1);
//! # Ok::<(), multivec_core::Error>(())
//! ```
//!
//! Layouts, for rows of `dim` columns:
//!
//! | kind | array | scales of `int8` |
//! | --- | --- | --- |
//! | multi-vector | `LargeList<FixedSizeList<Float32, dim>>` | `LargeList<Float32>` |
//! | dense | `FixedSizeList<Float32, dim>` | `Float32` |
//! | sparse | `Struct<indices: LargeList<UInt32>, values: LargeList<Float32>>` | |
//!
//! In less precision, `Float32` is `Float16` or `Int8`, or `UInt8` with a bit for
//! each column, `dim / 8` bytes rounded up, see
//! [`VectorPrecision`](multivec_core::corpus::VectorPrecision). Nulls are of texts
//! that are null; a text without rows has an empty list.

#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("rows are stored in little endian, and Arrow's arrays have the machine's order");

mod arrays;
mod builders;
mod metadata;
mod read;
mod rows;
mod texts;

pub use arrays::EmbeddingArrays;
pub use arrow_array;
pub use arrow_schema;
pub use builders::{DenseBuilder, MultiVectorBuilder, SparseBuilder};
pub use metadata::EmbeddingMetadata;
pub use texts::Texts;
