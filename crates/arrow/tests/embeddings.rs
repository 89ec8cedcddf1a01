//! Embeddings in arrays and out of them, in every precision.

#![allow(clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use multivec_arrow::arrow_array::cast::AsArray;
use multivec_arrow::arrow_array::types::{Float16Type, Float32Type, Int8Type, UInt8Type};
use multivec_arrow::arrow_array::{Array, ArrayRef, FixedSizeListArray, Int8Array, ListArray};
use multivec_arrow::arrow_schema::{DataType, Field};
use multivec_arrow::{DenseBuilder, EmbeddingArrays, MultiVectorBuilder, SparseBuilder};
use multivec_core::corpus::{Corpus, CorpusSpace, CorpusWriter, VectorPrecision};
use multivec_core::{DenseEmbedding, Embedding, SparseEmbedding};

/// Columns that do not fill a byte of bits.
const DIM: usize = 10;

/// Rows of different lengths and signs.
fn embedding(rows: usize, seed: usize) -> Embedding {
    let value = |at: usize| ((at * 37 + seed * 11) % 101) as f32 / 50. - 1.;
    let values = (0..rows * DIM).map(value).collect();
    Embedding::from_rows(values, DIM).expect("whole rows")
}

/// Of some rows, of one, null, and of none.
fn embeddings() -> Vec<Option<Embedding>> {
    vec![
        Some(embedding(3, 1)),
        Some(embedding(1, 2)),
        None,
        Some(embedding(0, 0)),
        Some(embedding(2, 5)),
    ]
}

fn arrays(precision: VectorPrecision) -> EmbeddingArrays {
    let mut builder = MultiVectorBuilder::new(DIM, precision).expect("it takes 10 columns");
    for embedding in embeddings() {
        match embedding {
            Some(embedding) => builder.push(&embedding).expect("finite"),
            None => builder.push_null(),
        }
    }
    assert_eq!(builder.len(), 5);
    assert!(builder.bytes() > 0);
    let data_type = builder.data_type();
    let arrays = builder.finish().expect("arrays");
    assert_eq!(arrays.values.data_type(), &data_type);
    assert!(builder.is_empty());
    assert!(builder.finish().expect("no embeddings").is_empty());
    arrays
}

/// The rows of all lists.
fn rows(arrays: &EmbeddingArrays) -> &FixedSizeListArray {
    let lists = arrays.values.as_list::<i64>();
    assert_eq!(&lists.offsets()[..], [0, 3, 4, 4, 4, 6]);
    lists.values().as_fixed_size_list()
}

/// What a corpus of the same embeddings has behind its tables: scales and rows,
/// from multiples of 64 bytes on.
fn corpus_bytes(precision: VectorPrecision) -> Vec<u8> {
    let space = CorpusSpace::new(DIM).with_precision(precision);
    let mut writer = CorpusWriter::new(Vec::new(), space).expect("a corpus");
    for embedding in embeddings().into_iter().flatten() {
        writer.push("", &embedding).expect("finite");
    }
    let bytes = writer.finish().expect("a corpus");
    Corpus::parse("memory", bytes.clone()).expect("it is whole");
    bytes
}

fn padded(bytes: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut bytes: Vec<u8> = bytes.into_iter().collect();
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    bytes
}

#[test]
fn nulls_and_texts_without_rows_are_kept_apart() {
    for precision in VectorPrecision::ALL {
        let arrays = arrays(precision);
        let lists = arrays.values.as_list::<i64>();
        let nulls: Vec<bool> = (0..lists.len()).map(|at| lists.is_null(at)).collect();
        assert_eq!(nulls, [false, false, true, false, false]);
        assert_eq!(lists.value_length(3), 0);
        let read = arrays.multi_vectors(DIM).expect("embeddings");
        let shapes = read.iter().map(|it| it.as_ref().map(Embedding::tokens));
        let shapes: Vec<_> = shapes.collect();
        assert_eq!(shapes, [Some(3), Some(1), None, Some(0), Some(2)]);
        let part = EmbeddingArrays::new(arrays.values.slice(1, 3))
            .with_scales(arrays.scales.map(|scales| scales.slice(1, 3)));
        assert_eq!(part.multi_vectors(DIM).expect("embeddings"), read[1..4]);
    }
}

#[test]
fn floats_are_the_same_bits() {
    let arrays = arrays(VectorPrecision::F32);
    assert_eq!(arrays.multi_vectors(DIM).expect("embeddings"), embeddings());
    let values = rows(&arrays).values().as_primitive::<Float32Type>();
    let all = embeddings().into_iter().flatten();
    let expected: Vec<f32> = all.flat_map(|it| it.as_slice().to_vec()).collect();
    assert_eq!(values.values().as_ref(), expected);
}

#[test]
fn less_precision_is_that_of_a_corpus() {
    for precision in [
        VectorPrecision::F16,
        VectorPrecision::Int8,
        VectorPrecision::Bits,
    ] {
        let arrays = arrays(precision);
        let values = rows(&arrays).values();
        let bytes = match precision {
            VectorPrecision::F16 => {
                let values = values.as_primitive::<Float16Type>().values();
                padded(values.iter().flat_map(|value| value.to_le_bytes()))
            }
            VectorPrecision::Int8 => {
                let scales = arrays.scales.as_ref().expect("scales").as_list::<i64>();
                assert_eq!(&scales.offsets()[..], [0, 3, 4, 4, 4, 6]);
                let scales = scales.values().as_primitive::<Float32Type>().values();
                let scales = padded(scales.iter().flat_map(|scale| scale.to_le_bytes()));
                let values = values.as_primitive::<Int8Type>().values();
                let values = padded(values.iter().map(|&value| value as u8));
                [scales, values].concat()
            }
            _ => padded(values.as_primitive::<UInt8Type>().values().iter().copied()),
        };
        assert!(corpus_bytes(precision).ends_with(&bytes), "{precision}");
    }
}

#[test]
fn less_precision_is_read_as_what_it_stands_for() {
    for (precision, bound) in [(VectorPrecision::F16, 5e-4), (VectorPrecision::Int8, 4e-3)] {
        let read = arrays(precision).multi_vectors(DIM).expect("embeddings");
        for (read, expected) in read.iter().flatten().zip(embeddings().iter().flatten()) {
            for (read, expected) in read.as_slice().iter().zip(expected.as_slice()) {
                assert!((read - expected).abs() <= bound, "{read} {expected}");
            }
        }
    }
    let read = arrays(VectorPrecision::Bits).multi_vectors(DIM);
    let read = read.expect("embeddings");
    for (read, expected) in read.iter().flatten().zip(embeddings().iter().flatten()) {
        let length = 1. / (DIM as f32).sqrt();
        let sign = |&value: &f32| if value >= 0. { length } else { -length };
        let expected: Vec<f32> = expected.as_slice().iter().map(sign).collect();
        assert_eq!(read.as_slice(), expected);
    }
}

#[test]
fn dense_embeddings_are_rows() {
    for precision in VectorPrecision::ALL {
        let mut builder = DenseBuilder::new(DIM, precision).expect("it takes 10 columns");
        let values = embedding(1, 3).as_slice().to_vec();
        builder
            .push(&DenseEmbedding::new(values.clone()))
            .expect("finite");
        builder.push_null();
        let data_type = builder.data_type();
        let arrays = builder.finish().expect("arrays");
        assert_eq!(arrays.values.data_type(), &data_type);
        assert_eq!(arrays.scales.is_some(), precision == VectorPrecision::Int8);
        let names = arrays.columns("embedding");
        let names: Vec<&str> = names
            .iter()
            .map(|(field, _)| field.name().as_str())
            .collect();
        let expected = ["embedding", "embedding_scale"];
        assert_eq!(names, expected[..1 + usize::from(arrays.scales.is_some())]);
        let read = arrays.dense(DIM).expect("embeddings");
        assert_eq!(read.len(), 2);
        assert_eq!(read[1], None);
        if precision == VectorPrecision::F32 {
            assert_eq!(read[0], Some(DenseEmbedding::new(values)));
        }
    }
}

#[test]
fn sparse_embeddings_are_pairs_of_lists() {
    let some = SparseEmbedding::new(vec![1, 5, 9], vec![0.5, 1., 2.], 30).expect("ascending");
    let none = SparseEmbedding::new(vec![], vec![], 30).expect("ascending");
    let mut builder = SparseBuilder::new();
    builder.push(&some).expect("whole pairs");
    builder.push_null();
    builder.push(&none).expect("whole pairs");
    let arrays = builder.finish().expect("arrays");
    let read = arrays.sparse(30).expect("embeddings");
    assert_eq!(read, [Some(some), None, Some(none)]);
    assert!(arrays.sparse(9).is_err(), "an index beyond the vocabulary");
}

#[test]
fn short_lists_have_the_same_embeddings() {
    for precision in VectorPrecision::ALL {
        let long = arrays(precision);
        let short = long.clone().with_short_lists().expect("few rows");
        assert!(matches!(short.values.data_type(), DataType::List(_)));
        let read = |arrays: EmbeddingArrays| arrays.multi_vectors(DIM).expect("embeddings");
        assert_eq!(read(short), read(long));
    }
}

#[test]
fn lists_of_other_libraries_are_read() {
    let long = arrays(VectorPrecision::F32);
    let lists = long.values.as_list::<i64>();
    let data_type = lists.value_type();
    let offsets: Vec<i32> = lists.offsets().iter().map(|&at| at as i32).collect();
    let short = ListArray::new(
        Arc::new(Field::new("element", data_type, false)),
        arrow_buffer::OffsetBuffer::new(offsets.into()),
        lists.values().clone(),
        lists.nulls().cloned(),
    );
    let short = EmbeddingArrays::new(Arc::new(short));
    assert_eq!(short.multi_vectors(DIM).expect("embeddings"), embeddings());
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let message = |arrays: EmbeddingArrays, dim| {
        let error = arrays.multi_vectors(dim).expect_err("it does not fit");
        error.to_string()
    };
    let numbers: ArrayRef = Arc::new(Int8Array::from(vec![1]));
    let found = message(EmbeddingArrays::new(numbers.clone()), DIM);
    assert_eq!(
        found,
        "column of embeddings: expected lists of rows, found Int8"
    );
    let found = message(arrays(VectorPrecision::F32), DIM + 1);
    assert_eq!(found, "rows: expected dimension 11, found 10");
    let integers = arrays(VectorPrecision::Int8);
    let found = message(EmbeddingArrays::new(integers.values.clone()), DIM);
    assert!(found.ends_with("expected a column of scales, found none"));
    let found = message(integers.clone().with_scales(Some(numbers)), DIM);
    assert!(found.ends_with("expected lists of scales, found Int8"));
    let scales = integers.scales.clone().expect("scales").slice(0, 2);
    let found = message(integers.with_scales(Some(scales)), DIM);
    assert!(found.ends_with("found lists of other lengths"), "{found}");
}

#[test]
fn embeddings_that_do_not_fit_leave_nothing() {
    let mut builder = MultiVectorBuilder::new(2, VectorPrecision::F16).expect("2 columns");
    let vectors = |values: [f32; 4]| Embedding::from_rows(values.to_vec(), 2).expect("rows");
    builder.push(&vectors([0.; 4])).expect("finite");
    for wrong in [f32::NAN, f32::INFINITY, 1e6] {
        let error = builder.push(&vectors([0., 0., 0., wrong]));
        let error = error.expect_err("no 16-bit float");
        let finite = wrong.is_finite();
        assert_eq!(error.text(), (!finite).then_some(1), "{error}");
    }
    let wide = Embedding::from_rows(vec![0.; 3], 3).expect("a row");
    assert!(builder.push(&wide).is_err());
    let arrays = builder.finish().expect("arrays");
    assert_eq!(arrays.len(), 1);
    let lists = arrays.values.as_list::<i64>();
    assert_eq!(lists.values().len(), 2);
    let data_type = DataType::Float16;
    assert_eq!(lists.values().as_fixed_size_list().value_type(), data_type);

    for (dim, precision) in [
        (0, VectorPrecision::F32),
        (1 << 20, VectorPrecision::F32),
        (1025, VectorPrecision::Bits),
    ] {
        assert!(MultiVectorBuilder::new(dim, precision).is_err());
        assert!(DenseBuilder::new(dim, precision).is_err());
    }
}
