//! Execution providers where there are none but the CPU.

#![allow(clippy::expect_used, clippy::panic)]

use multivec::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, EncoderBuilder, OnnxRuntime,
    OpenVinoOptions, Precision, Provider, TensorRtOptions,
};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tiny-bert");

fn builder(provider: Provider) -> EncoderBuilder {
    EncoderBuilder::from_dir(MODEL).with_provider(provider)
}

/// Every provider, and what its error says is needed.
fn others() -> Vec<(Provider, &'static str)> {
    vec![
        (Provider::Cuda(CudaOptions::default()), "`onnxruntime-gpu`"),
        (
            Provider::TensorRt(TensorRtOptions::default()),
            "TensorRT versions",
        ),
        (Provider::CoreMl(CoreMlOptions::default()), "macOS"),
        (
            Provider::DirectMl(DirectMlOptions::default()),
            "`onnxruntime-directml`",
        ),
        (Provider::MiGraphX(AmdOptions::default()), "MIGraphX"),
        (Provider::Rocm(AmdOptions::default()), "ROCm"),
        (
            Provider::OpenVino(OpenVinoOptions::default()),
            "`onnxruntime-openvino`",
        ),
        (Provider::Xnnpack, "XNNPACK"),
    ]
}

/// Machines that have a provider are not asked: there it may work.
fn is_listed(provider: &Provider) -> bool {
    let runtime = OnnxRuntime::load(None).expect("there is a library");
    let listed = runtime.providers().expect("it tells").join(" ");
    listed
        .to_lowercase()
        .replace("dml", "directml")
        .contains(provider.name())
}

#[test]
fn a_provider_that_cannot_be_had_is_an_error_that_says_how_to_get_it() {
    for (provider, needed) in others() {
        if is_listed(&provider) {
            continue;
        }
        let error = builder(provider.clone()).build().expect_err("not here");
        assert_eq!(error.code(), "provider_unavailable");
        let message = error.to_string();
        let name = format!("provider `{provider}`");
        for part in [name.as_str(), needed, "CPUExecutionProvider"] {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
}

/// The choice falls on the CPU, with its weights in INT8.
#[test]
fn auto_says_what_it_took() {
    if others().iter().any(|(provider, _)| is_listed(provider)) {
        return;
    }
    let auto = builder(Provider::Auto).build().expect("there is the CPU");
    let cpu = builder(Provider::Cpu).build().expect("the model loads");
    assert_eq!(auto.info(), cpu.info());
    assert_eq!(auto.info().provider, "cpu");
    assert_eq!(auto.info().precision, Precision::Int8);
    let encode = |encoder: &multivec::Encoder| encoder.encode_query("bees").expect("it encodes");
    assert_eq!(encode(&auto), encode(&cpu));
}
