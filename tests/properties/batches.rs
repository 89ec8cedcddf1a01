//! Any composition and order of batches.

use multivec::{BatchLimit, EncodeOptions, TextKind};
use multivec_core::batch::plan;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::parity::largest_difference;
use crate::inputs::{cases, encoders, text};

fn limit() -> impl Strategy<Value = BatchLimit> {
    prop_oneof![
        (1..12usize).prop_map(BatchLimit::Texts),
        (1..400usize).prop_map(BatchLimit::Tokens),
        Just(BatchLimit::Texts(usize::MAX)),
        Just(BatchLimit::Tokens(usize::MAX)),
    ]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn plans_hold_every_text_once_and_the_budget(
        lengths in vec(0..300usize, 0..60),
        limit in limit(),
    ) {
        let batches = plan(&lengths, limit);
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
            let length = batch.iter().map(|&text| lengths[text]).max().unwrap_or(0);
            let held = match limit {
                BatchLimit::Texts(limit) => batch.len() <= limit,
                BatchLimit::Tokens(limit) => batch.len() == 1 || batch.len() * length <= limit,
                other => panic!("no budget is known for {other:?}"),
            };
            prop_assert!(held, "{:?} in {:?}", batch, limit);
        }
        // No two neighbours would have fitted into one.
        for pair in batches.windows(2) {
            let length = lengths[pair[0][0]];
            let fits = match limit {
                BatchLimit::Texts(limit) => pair[0].len() < limit,
                BatchLimit::Tokens(limit) => (pair[0].len() + 1) * length <= limit,
                other => panic!("no budget is known for {other:?}"),
            };
            prop_assert!(!fits);
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn company_and_order_make_no_difference(
        texts in vec(text(), 1..7).prop_shuffle(),
        limit in limit(),
    ) {
        let mut options = EncodeOptions::default();
        options.batch_limit = limit;
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
