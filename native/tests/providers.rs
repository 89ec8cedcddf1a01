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

fn listed() -> String {
    let runtime = OnnxRuntime::load(None).expect("there is a library");
    runtime.providers().expect("it tells").join(", ")
}

/// On no machine is there everything: what is not there is refused, and what
/// is there runs.
#[test]
fn a_provider_is_had_or_is_an_error_that_says_how_to_get_it() {
    let mut refused = 0;
    for (provider, needed) in others() {
        let error = match builder(provider.clone()).build() {
            Ok(encoder) => {
                assert_eq!(encoder.info().provider, provider.name());
                continue;
            }
            Err(error) => error,
        };
        refused += 1;
        let message = error.to_string();
        assert_eq!(error.code(), "provider_unavailable", "{message}");
        let name = format!("provider `{provider}`");
        let is_listed = !message.contains(&listed());
        let reason = match is_listed {
            // The library has it, and the machine lacks what it needs.
            true => "ONNX Runtime refused it",
            false => "CPUExecutionProvider",
        };
        for part in [name.as_str(), needed, reason] {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
    assert!(refused >= 2, "macOS and Windows at once");
}

#[test]
fn auto_says_what_it_took_and_gives_the_vectors_of_the_cpu() {
    let auto = builder(Provider::Auto).build().expect("there is the CPU");
    let cpu = builder(Provider::Cpu)
        .with_precision(auto.info().precision)
        .build()
        .expect("the model loads");
    assert_ne!(auto.info().provider, "auto");
    let expected = cpu.encode_query("bees make honey").expect("it encodes");
    let found = auto.encode_query("bees make honey").expect("it encodes");
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!((found - expected).abs() <= 5e-3, "{found} {expected}");
    }
    if auto.info().provider == "cpu" {
        assert_eq!(auto.info(), cpu.info());
        assert_eq!(auto.info().precision, Precision::Int8);
    }
}
