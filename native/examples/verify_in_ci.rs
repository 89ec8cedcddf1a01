//! Fails if a model's vectors are not what they should be: a check for
//! continuous integration. The reference is the original FP32 graph or, where
//! the folder has INT8 alone, the original INT8 graph. On the command line,
//! `multivec verify` does the same.
//!
//! ```sh
//! cargo run -p multivec --example verify_in_ci -- models/minilm-colbert
//! ```

use std::error::Error;
use std::process::ExitCode;

use multivec::fidelity::{
    Comparison, Cosines, EncodedSample, Sample, batch_invariance, ranking_agreement,
};
use multivec::{EncodeOptions, EncoderBuilder, ModelDirectory, Optimization, Precision};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let model = std::env::args().nth(1);
    let model = model.as_deref().unwrap_or("models/minilm-colbert");
    let has_fp32 = ModelDirectory::open(model)?
        .weights(Precision::Fp32)
        .is_some();
    let sample = Sample::built_in();

    let mut reference = EncoderBuilder::from_dir(model).with_optimization(Optimization::Off);
    if has_fp32 {
        reference = reference.with_precision(Precision::Fp32);
    }
    let expected = EncodedSample::new(&reference.build()?, &sample)?;

    let encoder = EncoderBuilder::from_dir(model).build()?;
    let found = EncodedSample::new(&encoder, &sample)?;
    let comparison = Comparison::new(&expected, &found)?;
    let cosines = Cosines::of(comparison)?;
    let ranking = ranking_agreement(comparison)?;
    let batches = batch_invariance(&encoder, &EncodeOptions::default(), &sample.documents[..16])?;
    let difference = batches.largest();

    // The original INT8 graph quantizes activations with one scale per batch,
    // multivec's kernels with one per row, so less can be asked of the two.
    let (least_mean, least_p1) = if has_fp32 {
        (0.998, 0.996)
    } else {
        (0.98, 0.93)
    };
    let (mean, p1, overlap) = (cosines.mean(), cosines.percentile(1.0), ranking.overlap);
    // Each comparison is false for NaN.
    let checks = [
        (
            mean >= least_mean,
            format!("mean cosine {mean:.5}, at least {least_mean}"),
        ),
        (
            p1 >= least_p1,
            format!("first percentile {p1:.5}, at least {least_p1}"),
        ),
        (
            overlap >= 0.8,
            format!("overlap of the top 10 {overlap:.3}, at least 0.8"),
        ),
        (
            difference <= 1e-5,
            format!("alone and in a batch {difference:.1e} apart, at most 1e-5"),
        ),
    ];
    for (passed, what) in &checks {
        println!("{} {what}", if *passed { "ok    " } else { "FAILED" });
    }
    if checks.iter().all(|(passed, _)| *passed) {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}
