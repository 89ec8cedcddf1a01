//! Real models against sentence-transformers, from packages that ship their weights:
//! `cargo xtask test-nightly models`, which says where these are installed.

#![allow(clippy::expect_used, clippy::panic)]

use std::env;
use std::path::{Path, PathBuf};

use multivec::fidelity::{
    Comparison, Cosines, EncodedSample, Sample, ranking_agreement, support_overlap,
};
use multivec::{AnyEncoder, EncoderBuilder, Engine, Precision, Quantization};
use multivec_testing::engines::{BOTH, in_floats};
use multivec_testing::folders::fixture;
use multivec_testing::references::{HubReference, compare, cosine, distance};

/// The folder where packages are installed.
const VARIABLE: &str = "MULTIVEC_REAL_MODELS";

const DENSE: &str = "dense-all-minilm-l6-v2";
const SPARSE: &str = "sparse-splade-tiny";

/// The largest difference to the reference, in multiples of a value beyond 1.
const BOUND: f32 = 1e-5;
/// Weights below this may be there or not.
const FAINT: f32 = 1e-4;

fn model(name: &str) -> (PathBuf, HubReference) {
    let reference = HubReference::read(&fixture("hub/real").join(name));
    let packages = env::var_os(VARIABLE)
        .unwrap_or_else(|| panic!("{VARIABLE}: expected a folder of packages, found none"));
    let folder = reference.package_folder.as_ref().expect("a folder");
    let folder = Path::new(&packages).join(folder);
    assert!(folder.is_dir(), "{}: expected a model", folder.display());
    (folder, reference)
}

#[test]
#[ignore = "`cargo xtask test-nightly models` gets the weights"]
fn dense_vectors_are_those_of_sentence_transformers() {
    let (folder, reference) = model(DENSE);
    for (name, builder) in in_floats(&folder) {
        let encoder = builder.build_dense().expect("it loads");
        compare(&encoder, &reference, |found, expected, text| {
            let distance = distance(&found.values, expected);
            let cosine = 1. - cosine(&found.values, expected);
            assert!(
                distance < BOUND && cosine < BOUND,
                "{name}, {text}: {distance}, {cosine}"
            );
        });
    }
}

#[test]
#[ignore = "`cargo xtask test-nightly models` gets the weights"]
fn sparse_weights_are_those_of_sentence_transformers() {
    let (folder, reference) = model(SPARSE);
    for (name, builder) in in_floats(&folder) {
        let encoder = builder.build_sparse().expect("it loads");
        compare(&encoder, &reference, |found, expected, text| {
            let found = found.to_dense();
            let distance = distance(&found, expected);
            assert!(distance < BOUND, "{name}, {text}: {distance}");
            for (token, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (*found == 0.) == (*expected == 0.) || found.max(*expected) < FAINT,
                    "{name}, {text}, token {token}: expected {expected}, found {found}"
                );
            }
        });
    }
}

/// What `multivec verify` says of a model.
#[derive(Debug)]
struct Agreement {
    /// Mean of vectors' cosines.
    cosine: f64,
    /// Share of the ten best documents that both have.
    overlap: f64,
    /// Of the order of documents.
    tau: f64,
    /// Share of the tokens that both have, for sparse vectors.
    support: f64,
}

impl Agreement {
    fn is_at_least(&self, least: &Self) -> bool {
        self.cosine >= least.cosine
            && self.overlap >= least.overlap
            && self.tau >= least.tau
            && self.support >= least.support
    }
}

/// Weights that are quantized as they are loaded, held against those in floats.
fn int8_at_load(folder: &Path, engine: Engine) -> Agreement {
    let load = |builder: EncoderBuilder| -> AnyEncoder {
        builder.with_engine(engine).build_any().expect("it loads")
    };
    let builder = EncoderBuilder::from_dir(folder);
    let quantized = load(builder.clone());
    assert_eq!(quantized.info().precision, Precision::Int8);
    assert_eq!(quantized.info().quantization, Quantization::AtLoad);
    let floats = load(builder.with_precision(Precision::Fp32));
    let [floats, quantized] = [floats, quantized].map(|encoder| {
        EncodedSample::of_any(&encoder, &Sample::built_in()).expect("texts are encoded")
    });
    let comparison = Comparison::new(&floats, &quantized).expect("of one model");
    let ranking = ranking_agreement(comparison).expect("finite vectors");
    Agreement {
        cosine: Cosines::of(comparison).expect("finite vectors").mean(),
        overlap: ranking.overlap,
        tau: ranking.kendall_tau.expect("scores differ"),
        support: support_overlap(comparison),
    }
}

fn is_close_in_8_bits(model: &Path, least: &Agreement) {
    for engine in BOTH {
        let found = int8_at_load(model, engine);
        println!("{engine:?}: {found:?}");
        assert!(
            found.is_at_least(least),
            "{engine:?}: expected at least {least:?}, found {found:?}"
        );
    }
}

#[test]
#[ignore = "`cargo xtask test-nightly models` gets the weights"]
fn dense_vectors_in_8_bits_are_close() {
    let (folder, _) = model(DENSE);
    let least = Agreement {
        cosine: 0.998,
        overlap: 0.94,
        tau: 0.94,
        support: 1.,
    };
    is_close_in_8_bits(&folder, &least);
}

#[test]
#[ignore = "`cargo xtask test-nightly models` gets the weights"]
fn sparse_weights_in_8_bits_are_close() {
    let (folder, _) = model(SPARSE);
    let least = Agreement {
        cosine: 0.998,
        overlap: 0.95,
        tau: 0.95,
        support: 0.92,
    };
    is_close_in_8_bits(&folder, &least);
}
