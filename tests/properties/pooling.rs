//! Pooling of any rows.

use multivec::{Embedding, Pooling};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::inputs::{cases, encoders, text};

fn pooling() -> impl Strategy<Value = Pooling> {
    (1..9usize, 0..5usize).prop_map(|(factor, protected_tokens)| {
        Pooling::by(factor).with_protected_tokens(protected_tokens)
    })
}

/// Embeddings, some rows of which are equal.
fn embedding() -> impl Strategy<Value = Embedding> {
    (1..6usize).prop_flat_map(|dim| {
        let row = prop_oneof![
            3 => vec(-1.0..1.0f32, dim),
            1 => vec(-1e6..1e6f32, dim),
            1 => Just(vec![0.5; dim]),
            1 => Just(vec![0.0; dim]),
        ];
        vec(row, 0..40).prop_map(move |rows| {
            Embedding::from_rows(rows.concat(), dim).expect("rows are complete")
        })
    })
}

/// The most rows of a pooled embedding.
fn bound(rows: usize, pooling: Pooling) -> usize {
    let protected = pooling.protected_tokens.min(rows);
    let free = rows - protected;
    protected + (free / pooling.factor).max(1).min(free)
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn rows_are_few_enough_and_finite(whole in embedding(), pooling in pooling()) {
        let pooled = whole.pooled(pooling).expect("the factor is valid");
        prop_assert!(pooled.tokens() <= bound(whole.tokens(), pooling));
        prop_assert_eq!(pooled.dim(), whole.dim());
        prop_assert!(pooled.as_slice().iter().all(|value| value.is_finite()));
        for row in 0..pooling.protected_tokens.min(whole.tokens()) {
            prop_assert_eq!(pooled.row(row), whole.row(row));
        }
        if pooling.factor == 1 {
            prop_assert_eq!(pooled, whole);
        }
    }

    #[test]
    fn no_value_makes_it_panic(
        values in vec(any::<f32>(), 0..120),
        pooling in pooling(),
    ) {
        let values: Vec<f32> = values[..values.len() / 3 * 3].to_vec();
        let whole = Embedding::from_rows(values, 3).expect("rows are complete");
        let pooled = whole.pooled(pooling).expect("the factor is valid");
        prop_assert!(pooled.tokens() <= bound(whole.tokens(), pooling));
    }

    #[test]
    fn a_factor_of_zero_is_refused(whole in embedding(), protected_tokens in 0..5usize) {
        let pooling = Pooling::by(0).with_protected_tokens(protected_tokens);
        let error = whole.pooled(pooling).expect_err("0 is no factor");
        prop_assert_eq!(
            error.to_string(),
            "option `pooling`: expected a factor of 1 or more, found 0"
        );
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn clusters_partition_the_rows(text in text(), pooling in pooling()) {
        for encoder in encoders() {
            let whole = encoder.encode_document(&text).expect("it encodes");
            let pooled = whole.pooled(pooling).expect("the factor is valid");
            prop_assert!(pooled.tokens() <= bound(whole.tokens(), pooling));
            let tokens = |embedding: &Embedding| {
                let mut tokens: Vec<_> = (0..embedding.tokens())
                    .flat_map(|row| embedding.row_tokens(row))
                    .map(|token| format!("{token:?}"))
                    .collect();
                tokens.sort_unstable();
                tokens
            };
            prop_assert_eq!(tokens(&pooled), tokens(&whole));
            // Rows are means of their members, so that the sums agree.
            for column in 0..whole.dim() {
                let expected: f32 = whole.view().column(column).sum();
                let found: f32 = (0..pooled.tokens())
                    .map(|row| pooled.row(row)[column] * pooled.row_tokens(row).len() as f32)
                    .sum();
                prop_assert!((found - expected).abs() < 1e-4);
            }
        }
    }
}
