//! Models and outputs that are refused. No files are left behind.

use multivec::{Existing, FidelityTarget};

use super::*;

#[track_caller]
fn refused(result: Result<QuantizeReport>, code: &str, part: &str) {
    let error = result.expect_err("it is refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

fn tiny_bert() -> Vec<u8> {
    fs::read(fixture("tiny-bert").join("model.onnx")).expect("it is there")
}

#[test]
fn models_that_are_quantized_or_broken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("output");
    let attempt = |source: &Path| quantize(source, &output, &QuantizeOptions::default());
    for (name, _) in MODELS {
        let model = fs::read(fixture(name).join("model_int8.onnx")).expect("it is there");
        let source = with_model(name, &model);
        refused(
            attempt(source.path()),
            "model_mismatch",
            "32-bit floats only",
        );
    }
    let mut broken = tiny_bert();
    broken.truncate(broken.len() / 2);
    let source = with_model("tiny-bert", &broken);
    refused(attempt(source.path()), "invalid_model", "model.onnx");

    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/minilm-colbert");
    refused(attempt(&demo), "missing_file", "the FP32 model");
    assert!(!output.exists());
}

#[test]
fn weights_that_are_not_finite() {
    let mut graph = graph(&fixture("tiny-bert").join("model.onnx"));
    let tensors = &mut graph.proto_mut().initializer;
    let largest = tensors
        .iter_mut()
        .max_by_key(|tensor| tensor.raw_data.as_ref().map_or(0, |bytes| bytes.len()));
    let tensor = largest.expect("there are weights");
    let mut bytes = tensor.raw_data.take().expect("bytes").to_vec();
    bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    tensor.raw_data = Some(bytes.into());
    let source = with_model("tiny-bert", &graph.into_bytes());
    let output = tempfile::tempdir().expect("a temporary folder");
    let attempt = quantize(source.path(), output.path(), &QuantizeOptions::default());
    refused(attempt, "invalid_model", "found NaN");
    assert_eq!(files(output.path()), [""; 0]);
}

#[test]
fn outputs_that_may_not_be_written() {
    let source = with_model("tiny-bert", &tiny_bert());
    let mut options = QuantizeOptions::default();
    options.existing = Existing::Replace;
    let attempt = |output: &Path, options: &_| quantize(source.path(), output, options);
    let same = source
        .path()
        .join("../")
        .join(source.path().file_name().expect("a name"));
    refused(
        attempt(&same, &options),
        "invalid_option",
        "another directory",
    );
    assert_eq!(files(source.path()).len(), 3);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "no folder").expect("it is written");
    refused(attempt(&file.join("output"), &options), "io", "file");

    let older = folder.path().join("model_int8.onnx");
    fs::write(&older, "older").expect("it is written");
    let default = QuantizeOptions::default();
    refused(
        attempt(folder.path(), &default),
        "invalid_option",
        "model_int8.onnx",
    );
    assert_eq!(fs::read(&older).expect("still there"), b"older");
    let report = attempt(folder.path(), &options).expect("it is replaced");
    assert!(report.bytes_after > 100_000);
}

#[test]
fn targets_and_bounds_out_of_range() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let attempt = |edit: &dyn Fn(&mut QuantizeOptions)| {
        let mut options = QuantizeOptions::default();
        edit(&mut options);
        quantize(&fixture("tiny-bert"), folder.path(), &options)
    };
    let too_high = attempt(&|options| options.target = FidelityTarget::new(1., 0.9));
    refused(too_high, "invalid_option", "target.mean");
    let odd = attempt(&|options| options.target = FidelityTarget::new(0.9, f64::NAN));
    refused(odd, "invalid_option", "target.p1");
    refused(
        attempt(&|options| options.measurements = 7),
        "invalid_option",
        "measurements",
    );
    // Quantizing any layer costs more.
    let exact = attempt(&|options| {
        options.target = FidelityTarget::new(1. - 1e-9, 1. - 1e-9);
        options.measurements = 8;
    });
    refused(exact, "invalid_option", "some layer quantized");
    assert_eq!(files(folder.path()), [""; 0]);
}
