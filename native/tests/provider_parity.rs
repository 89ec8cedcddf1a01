//! PyLate's references on the provider that `MULTIVEC_TEST_PROVIDER` names, for
//! machines with its hardware: `cargo xtask test-provider`.

#![allow(clippy::expect_used, clippy::panic)]

use std::env;

use multivec::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, EncoderBuilder, OpenVinoOptions,
    Precision, Provider, TensorRtOptions,
};
use multivec_testing::{TINY, parity};

const VARIABLE: &str = "MULTIVEC_TEST_PROVIDER";
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures");

/// Devices may compute in 16 bits.
const LEAST_COSINE: f64 = 0.999;

fn provider(name: &str) -> Provider {
    match name {
        "coreml" => Provider::CoreMl(CoreMlOptions::default()),
        "cuda" => Provider::Cuda(CudaOptions::default()),
        "directml" => Provider::DirectMl(DirectMlOptions::default()),
        "migraphx" => Provider::MiGraphX(AmdOptions::default()),
        "openvino" => Provider::OpenVino(OpenVinoOptions::default()),
        "tensorrt" => Provider::TensorRt(TensorRtOptions::default()),
        "xnnpack" => Provider::Xnnpack,
        other => panic!("{VARIABLE}: expected a provider, found `{other}`"),
    }
}

#[test]
fn embeddings_are_those_of_pylate() {
    let Ok(name) = env::var(VARIABLE) else {
        println!("skipped: {VARIABLE} names no provider");
        return;
    };
    for fixture in TINY {
        let loaded = EncoderBuilder::from_dir(format!("{FIXTURES}/{}", fixture.name))
            .with_precision(Precision::Fp32)
            .with_provider(provider(&name))
            .build();
        let encoder = match loaded {
            Ok(encoder) => encoder,
            Err(error) if error.code() == "provider_unavailable" => {
                println!("skipped: {error}");
                return;
            }
            Err(error) => panic!("{}: {error}", fixture.name),
        };
        assert_eq!(encoder.info().provider, name);
        parity::tokens_are_equal(fixture, &encoder);
        let found = parity::fidelity(fixture, &encoder);
        println!("{} on {name}: {found:?}", fixture.name);
        assert!(found.minimum >= LEAST_COSINE, "{}: {found:?}", fixture.name);
    }
}
