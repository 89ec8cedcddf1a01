//! The models that are written.

use multivec::fidelity::{Comparison, Cosines, EncodedSample, Sample};
use multivec::{Encoder, Engine, GraphForm, LayerKind, Optimization, Precision, WeightRange};
use multivec_graph::onnx::INT8;
use multivec_graph::{WeightsWriter, tensor_bytes};

use super::*;
use multivec_testing::engines::open;

fn load(root: &Path, precision: Precision, engine: Engine, form: Optimization) -> Encoder {
    open(root, precision, engine, form)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
}

/// Texts other than those that layers are judged on.
fn sample() -> Sample {
    let texts = fs::read(fixture("texts.json")).expect("the texts can be read");
    let texts: serde_json::Value = serde_json::from_slice(&texts).expect("JSON");
    let list = |side: &str| serde_json::from_value(texts[side].clone()).expect("a list of texts");
    Sample::new(list("queries"), list("documents"))
}

fn cosines(expected: &Encoder, found: &Encoder) -> Cosines {
    let sample = sample();
    let encode = |encoder| EncodedSample::new(encoder, &sample).expect("texts encode");
    let (expected, found) = (encode(expected), encode(found));
    Cosines::of(Comparison::new(&expected, &found).expect("of equal shape"))
        .expect("there are rows")
}

#[test]
fn models_come_close_on_every_engine() {
    for (name, layers) in MODELS {
        let source = fixture(name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = folder.path().join("new/folder");
        let report = quantize(&source, &output, &QuantizeOptions::default())
            .expect("the model is quantized");
        let in_fp32 = report.layers.iter();
        let in_fp32 = in_fp32.filter(|layer| layer.precision == Precision::Fp32);
        let products = |precision| {
            let layers = report.layers.iter();
            let of = layers.filter(|layer| layer.precision == precision);
            of.filter(|layer| layer.kind == LayerKind::Product).count()
        };
        assert_eq!(report.layers.len(), layers, "{name}");
        let is_smoothed = report.layers.iter().any(|layer| layer.smoothed);
        assert_eq!(is_smoothed, name == "tiny-bert", "{report:?}");
        assert!(in_fp32.count() <= 3, "{name}: {report:?}");
        assert!(report.fidelity.mean >= 0.998 && report.fidelity.p1 >= 0.996);
        assert!(report.fidelity.mean >= report.all_quantized.mean);
        assert!(
            report.bytes_after < report.bytes_before * 3 / 4,
            "{report:?}"
        );
        let expected = ["model_int8.onnx", "onnx_config.json", "tokenizer.json"];
        assert_eq!(files(&output), expected);

        let expected = load(
            &source,
            Precision::Fp32,
            Engine::OnnxRuntime,
            Optimization::Off,
        );
        let mut forms = vec![
            (Engine::OnnxRuntime, Optimization::Checked, [0.998, 0.994]),
            // All rows share one scale, as the operators are defined.
            (Engine::OnnxRuntime, Optimization::Off, [0.99, 0.96]),
        ];
        if cfg!(feature = "tract") {
            forms.push((Engine::Tract, Optimization::Checked, [0.998, 0.994]));
            forms.push((Engine::Tract, Optimization::Off, [0.99, 0.96]));
        }
        for (engine, form, [mean, p1]) in forms {
            let found = load(&output, Precision::Int8, engine, form);
            if form == Optimization::Checked {
                let GraphForm::Fused(fused) = found.info().graph else {
                    panic!("{name}: {}", found.info().graph);
                };
                assert_eq!(fused.quantized, products(Precision::Int8));
                assert_eq!(fused.linears, fused.quantized + products(Precision::Fp32));
            }
            let cosines = cosines(&expected, &found);
            let measured = (cosines.mean(), cosines.percentile(1.), cosines.minimum());
            println!("{name}, {engine:?}, {form:?}: {measured:?}");
            assert!(
                measured.0 >= mean && measured.1 >= p1,
                "{name}, {engine:?}, {form:?}: {measured:?}"
            );
        }
    }
}

#[test]
fn weights_are_in_the_range_of_the_options() {
    for (range, largest) in [(WeightRange::Full, 127), (WeightRange::Reduced, 64)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut options = QuantizeOptions::default();
        options.range = range;
        quantize(&fixture("tiny-bert"), folder.path(), &options).expect("the model is quantized");
        let graph = graph(&folder.path().join("model_int8.onnx"));
        let tensors = graph.initializers().iter();
        let weights = tensors.filter(|tensor| tensor.data_type == Some(INT8));
        let values = weights.flat_map(|tensor| {
            let bytes = tensor_bytes(tensor, &in_graph).expect("bytes");
            bytes
                .iter()
                .map(|&byte| i32::from(byte as i8).abs())
                .collect::<Vec<_>>()
        });
        assert_eq!(values.max(), Some(largest));
    }
}

#[test]
fn external_weights_are_read_and_written() {
    let name = "tiny-bert";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = folder.path().join("plain");
    let options = QuantizeOptions::default();
    let report = quantize(&fixture(name), &plain, &options).expect("the model is quantized");
    assert_eq!(report.data, None);

    // The same model with its weights, large and small, in another file.
    let mut graph = graph(&fixture(name).join("model.onnx"));
    let mut writer = WeightsWriter::new("weights.bin", Vec::new());
    for tensor in &mut graph.proto_mut().initializer {
        let bytes = tensor_bytes(tensor, &in_graph).expect("bytes");
        if bytes.len() >= 256 {
            writer.add(tensor, &bytes).expect("memory can be written");
        }
    }
    let source = with_model(name, &graph.into_bytes());
    let weights = writer.into_inner();
    fs::write(source.path().join("weights.bin"), &weights).expect("it is written");
    let from_beside = folder.path().join("from-beside");
    let report = quantize(source.path(), &from_beside, &options).expect("the model is quantized");
    assert!(report.bytes_before > weights.len() as u64);
    let read = |folder: &Path| fs::read(folder.join("model_int8.onnx")).expect("it is there");
    assert!(read(&plain) == read(&from_beside));

    let mut options = options;
    options.external_above = 100_000;
    let beside = folder.path().join("beside");
    let report = quantize(&fixture(name), &beside, &options).expect("the model is quantized");
    let data = beside.join("model_int8.onnx.data");
    assert_eq!(report.data.as_ref(), Some(&data));
    let length = |path: &Path| fs::metadata(path).expect("it is there").len();
    assert_eq!(report.bytes_after, length(&data) + length(&report.file));
    assert!(length(&report.file) < length(&plain.join("model_int8.onnx")) * 3 / 4);
    for &engine in Engine::COMPILED {
        for form in [Optimization::Checked, Optimization::Off] {
            let encode = |root: &Path| {
                let encoder = load(root, Precision::Int8, engine, form);
                EncodedSample::new(&encoder, &sample()).expect("texts encode")
            };
            let (left, right) = (encode(&plain), encode(&beside));
            assert_eq!(left.documents, right.documents, "{engine:?} {form:?}");
            assert_eq!(left.queries, right.queries, "{engine:?} {form:?}");
        }
    }
}

#[test]
fn by_default_the_file_is_beside_the_model() {
    let model = fs::read(fixture("tiny-bert").join("model.onnx")).expect("it is there");
    let folder = with_model("tiny-bert", &model);
    let directory = ModelDirectory::open(folder.path()).expect("a model directory");
    let mut steps = Vec::new();
    let options = QuantizeOptions::default();
    let report = quantize_model(&directory, None, &options, &mut |step| steps.push(step))
        .expect("the model is quantized");
    assert_eq!(report.file, folder.path().join("model_int8.onnx"));
    assert_eq!(steps[13], QuantizeStep::Weights { done: 14, of: 14 });
    assert_eq!(steps[14], QuantizeStep::Measured { done: 1, of: 128 });
    assert_eq!(steps.len(), 14 + report.measurements);
    let kept = fs::read(folder.path().join("model.onnx")).expect("still there");
    assert!(kept == model);
}
