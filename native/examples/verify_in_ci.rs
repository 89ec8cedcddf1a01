//! Fails where a model's vectors are not what they should be; for a job of
//! continuous integration.
//!
//! What counts as right is the FP32 model in its original graph, or, in a
//! folder that has INT8 alone, the original INT8 graph. `multivec verify` does
//! the same from the command line.
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
        .model(Precision::Fp32)
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
    let alone_and_batched =
        batch_invariance(&encoder, &EncodeOptions::default(), &sample.documents[..16])?;

    // An original INT8 graph has one activation scale a batch, which alone
    // moves its vectors further than the kernels' scales a row.
    let (least_mean, least_p1) = if has_fp32 {
        (0.998, 0.996)
    } else {
        (0.98, 0.93)
    };
    let checks = [
        ("mean cosine", cosines.mean(), least_mean),
        (
            "cosine, first percentile",
            cosines.percentile(1.0),
            least_p1,
        ),
        ("overlap of the top 10", ranking.overlap, 0.8),
        (
            "agreement of batches", // 1 less the largest difference of a component
            1.0 - f64::from(alone_and_batched.largest()),
            1.0 - 1e-5,
        ),
    ];
    let mut outcome = ExitCode::SUCCESS;
    for (what, found, least) in checks {
        // In this order, so that NaN fails.
        let verdict = if found >= least { "ok" } else { "FAILED" };
        println!("{what:<26}{found:.6}, at least {least:.6}: {verdict}");
        if verdict != "ok" {
            outcome = ExitCode::FAILURE;
        }
    }
    Ok(outcome)
}
