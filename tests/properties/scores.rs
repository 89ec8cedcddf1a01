//! MaxSim and rankings against a naive implementation.

use multivec::{Embedding, Scorer, ThreadPool, matches, max_sim, max_sim_many, rank, rerank};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::inputs::cases;

fn embedding(dim: usize) -> impl Strategy<Value = Embedding> {
    let rows = vec(vec(-1.0..1.0f32, dim), 0..9);
    rows.prop_map(move |rows| Embedding::from_rows(rows.concat(), dim).expect("rows are complete"))
}

fn query_and_documents() -> impl Strategy<Value = (Embedding, Vec<Embedding>)> {
    (1..10usize).prop_flat_map(|dim| (embedding(dim), vec(embedding(dim), 0..8)))
}

fn naive(query: &Embedding, document: &Embedding) -> f32 {
    let mut sum = 0.0;
    for left in 0..query.tokens() {
        let mut best = f32::NEG_INFINITY;
        for right in 0..document.tokens() {
            let mut product = 0.0;
            for column in 0..query.dim() {
                product += query.row(left)[column] * document.row(right)[column];
            }
            best = best.max(product);
        }
        if best > f32::NEG_INFINITY {
            sum += best;
        }
    }
    sum
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn max_sim_equals_the_naive_sum((query, documents) in query_and_documents()) {
        let many = max_sim_many(&query, &documents).expect("dimensions agree");
        prop_assert_eq!(many.len(), documents.len());
        for (document, score) in documents.iter().zip(many) {
            let expected = naive(&query, document);
            prop_assert!((score - expected).abs() < 1e-4, "{} {}", score, expected);
            prop_assert_eq!(max_sim(&query, document).expect("dimensions agree"), score);
            let found = matches(&query, document).expect("dimensions agree");
            prop_assert_eq!(found.len(), query.tokens());
            for (row, found) in found.iter().enumerate() {
                prop_assert_eq!(found.row.is_none(), document.tokens() == 0);
                let Some(best) = found.row else { continue };
                let product = query.row(row).dot(&document.row(best));
                prop_assert!((product - found.score).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn rankings_are_sorted_and_stable(
        (query, documents) in query_and_documents(),
        picks in vec(0..100usize, 0..30),
    ) {
        // Repeated documents have equal scores.
        let documents: Vec<Embedding> = match documents.len() {
            0 => Vec::new(),
            count => picks.iter().map(|&pick| documents[pick % count].clone()).collect(),
        };
        let scores = max_sim_many(&query, &documents).expect("dimensions agree");
        let ranking = rank(&query, &documents).expect("dimensions agree");
        let mut indices: Vec<usize> = ranking.iter().map(|found| found.index).collect();
        for pair in ranking.windows(2) {
            prop_assert!(
                pair[0].score > pair[1].score
                    || (pair[0].score == pair[1].score && pair[0].index < pair[1].index)
            );
        }
        for found in &ranking {
            prop_assert_eq!(found.score, scores[found.index]);
        }
        // Candidates in the order of the ranking keep it.
        let again = rerank(&query, &documents, &indices).expect("positions are valid");
        prop_assert_eq!(again, ranking);
        indices.sort_unstable();
        prop_assert_eq!(indices, (0..documents.len()).collect::<Vec<_>>());
        let beyond = rerank(&query, &documents, &[documents.len()]).expect_err("no such document");
        prop_assert_eq!(beyond.code(), "invalid_option");
    }

    #[test]
    fn different_dimensions_are_refused(left in 1..9usize, right in 1..9usize, rows in 0..4usize) {
        let query = Embedding::from_rows(vec![0.5; rows * left], left).expect("rows are complete");
        let document = Embedding::from_rows(vec![0.5; rows * right], right).expect("rows are complete");
        match max_sim(&query, &document) {
            Ok(_) => prop_assert_eq!(left, right),
            Err(error) => {
                prop_assert_ne!(left, right);
                prop_assert_eq!(error.code(), "dimension_mismatch");
                let error = max_sim_many(&query, &[document]).expect_err("it differs");
                let expected = format!("document 0: expected dimension {left}, found {right}");
                prop_assert_eq!(error.to_string(), expected);
            }
        }
    }

    #[test]
    fn rows_are_returned_unchanged(values in vec(any::<f32>(), 0..60), dim in 0..8usize) {
        let is_complete = dim > 0 && values.len() % dim == 0 || values.is_empty();
        match Embedding::from_rows(values.clone(), dim) {
            Ok(found) => {
                prop_assert!(is_complete);
                prop_assert_eq!(found.tokens() * found.dim(), values.len());
                prop_assert_eq!(found.dim(), dim);
                let bits = |values: &[f32]| -> Vec<u32> {
                    values.iter().map(|value| value.to_bits()).collect()
                };
                prop_assert_eq!(bits(found.as_slice()), bits(&values));
                prop_assert!(found.truncation().is_none());
                for row in 0..found.tokens() {
                    prop_assert!(found.row_tokens(row).is_empty());
                }
                let matrix = found.clone().into_matrix();
                prop_assert_eq!(bits(&matrix.into_iter().collect::<Vec<_>>()), bits(&values));
            }
            Err(error) => {
                prop_assert!(!is_complete);
                prop_assert_eq!(error.code(), "dimension_mismatch");
            }
        }
    }
}

#[test]
fn broken_vectors_are_refused_by_name() {
    let good = Embedding::from_rows(vec![0.5; 8], 2).expect("whole rows");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let broken = Embedding::from_rows(vec![0.5, 0.5, 0.5, value], 2).expect("whole rows");
        let documents = [good.clone(), broken.clone(), good.clone()];
        let error = rank(&good, &documents).expect_err("a document is broken");
        assert_eq!(error.code(), "non_finite_vector");
        assert!(error.to_string().starts_with("text 1: "), "{error}");
        assert!(error.to_string().ends_with("in row 1"), "{error}");
        let error = rerank(&good, &documents, &[2, 1]).expect_err("a document is broken");
        assert_eq!(error.text(), Some(1));
        let error = max_sim(&broken, &good).expect_err("the query is broken");
        let expected = format!("option `query`: expected finite numbers, found {value} in row 1");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn scores_do_not_depend_on_threads() {
    let rows = |count: usize| -> Vec<f32> {
        let values = multivec_kernels::sample::numbers()
            .skip(count)
            .take(count * 128);
        values
            .map(|number| number as f32 / (1u32 << 31) as f32 - 0.5)
            .collect()
    };
    let of = |count| Embedding::from_rows(rows(count), 128).expect("whole rows");
    let query = of(32);
    let documents: Vec<Embedding> = (0..60).map(|at| of(at * 7 % 50)).collect();
    let expected = max_sim_many(&query, &documents).expect("they are finite");
    for count in 2..4 {
        let mut threads = ThreadPool::default();
        threads.grow_to(count).expect("threads are started");
        let scorer = Scorer::new().with_threads(&threads);
        let found = scorer
            .max_sim_many(&query, &documents)
            .expect("they are finite");
        assert_eq!(found, expected);
    }
}
