//! Execution providers: each runs, or is refused with a reason.

use multivec::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, EncoderBuilder, OnnxRuntime,
    OpenVinoOptions, Precision, Provider, TensorRtOptions,
};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tiny-bert");

fn builder(provider: Provider) -> EncoderBuilder {
    EncoderBuilder::from_dir(MODEL).with_provider(provider)
}

/// Every provider except the CPU, and a requirement that its error names.
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
    let runtime = OnnxRuntime::load(None).expect("run `npm ci --ignore-scripts` in js/ first");
    runtime
        .providers()
        .expect("the library lists them")
        .join(", ")
}

#[test]
fn a_provider_runs_or_is_refused_with_its_requirements() {
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
        let reason = if is_listed {
            // The library has it, but the machine does not meet its requirements.
            "ONNX Runtime refused it"
        } else {
            "CPUExecutionProvider"
        };
        for part in [name.as_str(), needed, reason] {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
    assert!(refused >= 2, "no machine has both macOS and Windows");
}

#[test]
fn auto_names_its_choice_and_gives_the_vectors_of_the_cpu() {
    let auto = builder(Provider::Auto)
        .build()
        .expect("the CPU is always there");
    let cpu = builder(Provider::Cpu)
        .with_precision(auto.info().precision)
        .build()
        .expect("the model loads");
    assert_ne!(auto.info().provider, "auto");
    let expected = cpu
        .encode_query("bees make honey")
        .expect("the text encodes");
    let found = auto
        .encode_query("bees make honey")
        .expect("the text encodes");
    for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
        assert!((found - expected).abs() <= 5e-3, "{found} {expected}");
    }
    if auto.info().provider == "cpu" {
        assert_eq!(auto.info(), cpu.info());
        assert_eq!(auto.info().precision, Precision::Int8);
    }
}
