//! Batches of any composition and order.

use std::collections::BTreeSet;

use multivec::{BatchLimit, BatchShapes, EncodeOptions, TextKind};
use multivec_core::batch::{Buckets, PADDING_SHARE, PADDING_TOKENS, plan, plan_unpadded};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::inputs::{cases, encoders, text};
use multivec_testing::parity::largest_difference;

/// Lengths of texts, some of them long.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![3 => 0..300usize, 1 => 0..3000usize], 0..60)
}

fn limit() -> impl Strategy<Value = BatchLimit> {
    prop_oneof![
        (1..12usize).prop_map(BatchLimit::Texts),
        (1..4000usize).prop_map(BatchLimit::Tokens),
        Just(BatchLimit::Texts(usize::MAX)),
        Just(BatchLimit::Tokens(usize::MAX)),
    ]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn plans_have_every_text_once_and_keep_to_the_limit(
        lengths in lengths(),
        limit in limit(),
        workers in 1..9usize,
    ) {
        let batches = plan(&lengths, limit, workers);
        let order: Vec<usize> = batches.concat();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..lengths.len()).collect::<Vec<_>>());
        for pair in order.windows(2) {
            let (left, right) = (lengths[pair[0]], lengths[pair[1]]);
            prop_assert!(left > right || (left == right && pair[0] < pair[1]));
        }
        for batch in &batches {
            prop_assert!(!batch.is_empty());
            prop_assert!(fits(&lengths, batch, limit), "{:?} in {:?}", batch, limit);
        }
    }

    #[test]
    fn padding_is_bounded(lengths in lengths(), limit in limit(), workers in 1..9usize) {
        for batch in plan(&lengths, limit, workers) {
            let Size { all, padding } = size(&lengths, &batch);
            let bound = (all / PADDING_SHARE).max(PADDING_TOKENS);
            prop_assert!(padding <= bound, "{} of {}", padding, all);
            let (first, last) = (batch[0], batch[batch.len() - 1]);
            prop_assert!(lengths[first] - lengths[last] <= PADDING_TOKENS);
        }
    }

    #[test]
    fn plans_without_padding_have_every_text_once(
        lengths in lengths(),
        limit in limit(),
        workers in 1..9usize,
    ) {
        let batches = plan_unpadded(&lengths, limit, workers);
        let mut sorted: Vec<usize> = batches.concat();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..lengths.len()).collect::<Vec<_>>());
        for batch in &batches {
            prop_assert_eq!(size(&lengths, batch).padding, 0);
            prop_assert!(fits(&lengths, batch, limit), "{:?} in {:?}", batch, limit);
        }
    }

    #[test]
    fn equal_lengths_are_not_padded(
        lengths in vec(select(&[50usize, 400, 900][..]), 0..60),
        limit in limit(),
        workers in 1..9usize,
    ) {
        for batch in plan(&lengths, limit, workers) {
            prop_assert_eq!(size(&lengths, &batch).padding, 0);
        }
    }

    /// No batch would have had room for the next text.
    #[test]
    fn one_worker_gets_no_more_batches_than_needed(lengths in lengths(), limit in limit()) {
        for pair in plan(&lengths, limit, 1).windows(2) {
            let together = [&pair[0][..], &pair[1][..1]].concat();
            let Size { all, padding } = size(&lengths, &together);
            let of_text = lengths[pair[0][0]] - lengths[pair[1][0]];
            let is_padded = padding > (all / PADDING_SHARE).max(PADDING_TOKENS)
                || of_text > PADDING_TOKENS;
            prop_assert!(is_padded || !fits(&lengths, &together, limit));
        }
    }

    #[test]
    fn buckets_have_every_text_once_in_few_shapes(
        lengths in vec(0..=300usize, 0..200),
        limit in limit(),
    ) {
        let buckets = Buckets { longest: 300, limit };
        let batches = buckets.plan(&lengths);
        let mut sorted: Vec<usize> = batches.concat();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..lengths.len()).collect::<Vec<_>>());
        let mut shapes = BTreeSet::new();
        for batch in &batches {
            let longest = batch.iter().map(|&text| lengths[text]).max().unwrap_or(0);
            let [rows, length] = buckets.shape(batch.len(), longest);
            prop_assert!(rows >= batch.len() && rows < 2 * batch.len() && length <= 300);
            for &text in batch {
                let bound = (lengths[text] * 3 / 2).max(16);
                prop_assert!(length >= lengths[text] && length <= bound, "{}", length);
            }
            match limit {
                BatchLimit::Texts(limit) => prop_assert!(rows <= limit),
                BatchLimit::Tokens(limit) => prop_assert!(rows == 1 || rows * length <= limit),
                other => panic!("{other:?} has no fixed size"),
            }
            shapes.insert([rows, length]);
        }
        // Each length has full batches, and one for the remaining texts.
        let lengths: BTreeSet<usize> = shapes.iter().map(|[_, length]| *length).collect();
        prop_assert!(lengths.len() <= 10 && shapes.len() <= 20, "{:?}", shapes);
    }

    /// With enough work, no share is much larger than the others.
    #[test]
    fn workers_get_equal_shares(
        length in 1..300usize,
        count in 1..200usize,
        workers in 1..9usize,
    ) {
        prop_assume!(length * count >= 1024 * workers);
        let batches = plan(&vec![length; count], BatchLimit::Tokens(2048), workers);
        let mut shares = vec![0; workers];
        for batch in &batches {
            // As workers do: who is done first takes the next batch.
            let least = shares.iter_mut().min().expect("there is a worker");
            *least += batch.len();
        }
        let largest = shares.iter().max().expect("there is a worker");
        let fair = count.div_ceil(workers);
        let most = 2048 / length;
        prop_assert!(*largest <= fair + (most.min(fair) * 2).div_ceil(3), "{:?}", shares);
    }
}

/// Numbers of tokens.
struct Size {
    /// Tokens of a batch, including padding.
    all: usize,
    padding: usize,
}

fn size(lengths: &[usize], batch: &[usize]) -> Size {
    let lengths = || batch.iter().map(|&text| lengths[text]);
    let all = batch.len() * lengths().max().unwrap_or(0);
    Size {
        all,
        padding: all - lengths().sum::<usize>(),
    }
}

fn fits(lengths: &[usize], batch: &[usize], limit: BatchLimit) -> bool {
    match limit {
        BatchLimit::Texts(limit) => batch.len() <= limit,
        BatchLimit::Tokens(limit) => batch.len() == 1 || size(lengths, batch).all <= limit,
        other => panic!("{other:?} has no fixed size"),
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn vectors_do_not_depend_on_the_batch(
        texts in vec(text(), 1..7).prop_shuffle(),
        limit in limit(),
        shapes in select(&[BatchShapes::Exact, BatchShapes::Buckets][..]),
    ) {
        let options = EncodeOptions::default()
            .with_batch_limit(limit)
            .with_batch_shapes(shapes);
        for encoder in encoders() {
            let encoder = encoder.with_options(&options).expect("the limit is valid");
            for kind in [TextKind::Query, TextKind::Document] {
                let together = encoder.encode(&texts, kind).expect("texts encode");
                prop_assert_eq!(together.len(), texts.len());
                for (text, batched) in texts.iter().zip(&together) {
                    let alone = encoder.encode(&[text], kind).expect("a text encodes");
                    prop_assert_eq!(alone[0].tokens(), batched.tokens());
                    let distance = largest_difference(alone[0].as_slice(), batched.as_slice());
                    prop_assert!(distance <= 1e-5, "{} for {:?}", distance, text);
                }
            }
        }
    }
}
