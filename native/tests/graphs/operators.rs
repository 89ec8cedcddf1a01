//! Each operator of the tract backend against ONNX Runtime, on small graphs.

use multivec::{
    Encoder, EncoderBuilder, Engine, GraphForm, Normalization, Optimization, optimize_graph,
};
use multivec_testing::forms::{FORM_CASES, FormCounts};
use multivec_testing::models::with_graph;
use multivec_testing::notation;
use multivec_testing::operators::{
    BEYOND_TRACT_ONNX, CASES, FALLBACK_CASES, LATER_CASES, OLD_CASES, branches,
};

fn load(model: &[u8], engine: Engine) -> Result<Encoder, multivec::Error> {
    load_as(model, engine, Optimization::Checked)
}

fn load_as(model: &[u8], engine: Engine, form: Optimization) -> Result<Encoder, multivec::Error> {
    EncoderBuilder::from_bytes(with_graph(model))
        .with_engine(engine)
        .with_normalization(Normalization::Off)
        .with_optimization(form)
        .build()
}

fn check(cases: &[(&str, &str)], opset: i64) {
    let texts = [
        "One text.",
        "Another, rather longer text about nothing.",
        "",
    ];
    let mut failures = Vec::new();
    for (name, lines) in cases {
        let model = notation::model(lines, opset);
        let expected = load(&model, Engine::OnnxRuntime)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .encode_documents(&texts)
            .expect("ONNX Runtime encodes");
        let found =
            load(&model, Engine::Tract).and_then(|encoder| encoder.encode_documents(&texts));
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        for (expected, found) in expected.iter().zip(&found) {
            assert!(!expected.as_slice().is_empty(), "{name}");
            assert_eq!(expected.as_slice().len(), found.as_slice().len(), "{name}");
            let far = expected
                .as_slice()
                .iter()
                .zip(found.as_slice())
                .find(|&(&expected, &found)| !is_near(expected, found));
            if let Some((expected, found)) = far {
                failures.push(format!("{name}: expected {expected}, found {found}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// False for NaN.
fn is_near(expected: f32, found: f32) -> bool {
    (expected - found).abs() <= 1e-5 * expected.abs().max(1.)
}

#[test]
fn operators_give_the_values_of_onnx_runtime() {
    check(CASES, 17);
    check(BEYOND_TRACT_ONNX, 17);
}

#[test]
fn operators_of_later_sets_give_the_values_of_onnx_runtime() {
    check(LATER_CASES, 20);
}

#[test]
fn old_forms_of_operators_give_the_values_of_onnx_runtime() {
    check(OLD_CASES, 9);
}

#[test]
fn products_with_weights_are_linear_layers() {
    for lines in [
        "a = MatMul(x, square)\n output = Add(row, a)",
        "w = Transpose(square) perm=[1,0]\n a = MatMul(x, w)\n output = Add(a, row)",
        "a = Reshape(x, rows)\n b = Gemm(a, square, row) transB=1\n c = Shape(x)\n output = Reshape(b, c)",
    ] {
        let encoder = load(&notation::model(lines, 17), Engine::Tract).expect("the graph runs");
        let GraphForm::Fused(fused) = encoder.info().graph else {
            panic!("{lines}: {}", encoder.info().graph);
        };
        assert_eq!(fused.linears, 1, "{lines}");
        check(&[(lines, lines)], 17);
    }
}

/// Each form of a quantized lookup is recognised, next to the lookup of `x`.
#[test]
fn lookups_and_l2_normalizations_are_recognised() {
    for (name, lines) in CASES {
        let is_lookup = name.starts_with("Gather of quantized rows")
            || name.starts_with("Gather from dequantized")
            || name.starts_with("Gather of values and scales");
        let expected = match *name {
            "Gather by positions" => [2, 0, 0],
            _ if is_lookup => [2, 1, 0],
            name if name.starts_with("L2 normalization") => [1, 0, 1],
            "LpNormalization" => [1, 0, 1],
            _ => continue,
        };
        let encoder = load(&notation::model(lines, 17), Engine::Tract).expect("the graph runs");
        let GraphForm::Fused(fused) = encoder.info().graph else {
            panic!("{name}: {}", encoder.info().graph);
        };
        let found = [
            fused.embeddings,
            fused.quantized_embeddings,
            fused.l2_normalizations,
        ];
        assert_eq!(found, expected, "{name}");
        lowered_graph_gives_the_same(name, lines);
    }
}

/// With our kernels and lowered to operators of any library, they give the values
/// of the original graph.
#[test]
fn norms_activations_and_gates_are_recognised() {
    for case in FORM_CASES {
        check(&[(case.lines, case.lines)], 17);
        let encoder = load(&notation::model(case.lines, 17), Engine::Tract).expect("it loads");
        let GraphForm::Fused(fused) = encoder.info().graph else {
            panic!("{}: {}", case.lines, encoder.info().graph);
        };
        let found = FormCounts {
            rms_normalizations: fused.rms_normalizations,
            activations: fused.gelus + fused.activations,
            linears: fused.linears,
            gated: fused.gated,
        };
        assert_eq!(found, case.found, "{}", case.lines);
        lowered_graph_gives_the_same(case.lines, case.lines);
    }
}

/// The fused graph, lowered to operators of any library, gives the same vectors.
fn lowered_graph_gives_the_same(name: &str, lines: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.onnx");
    // From operator set 18 on, axes are an input, and the number of parts is given.
    let opsets: &[i64] = if lines.contains("axes=") || lines.contains("Split(") {
        &[17]
    } else {
        &[17, 18]
    };
    for &opset in opsets {
        let model = notation::model(lines, opset);
        std::fs::write(&path, &model).expect("it can be written");
        let (lowered, fused) = optimize_graph(&path).expect("a graph");
        assert!(fused.embeddings > 0, "{name}");
        let encode = |model: &[u8]| {
            let encoder = load_as(model, Engine::OnnxRuntime, Optimization::Off);
            let encoder = encoder.unwrap_or_else(|error| panic!("{name}: {error}"));
            encoder.encode_document("One text.").expect("it encodes")
        };
        let (expected, found) = (encode(&model), encode(&lowered));
        assert_eq!(expected.tokens(), found.tokens(), "{name}");
        for (&expected, &found) in expected.as_slice().iter().zip(found.as_slice()) {
            assert!(is_near(expected, found), "{name}: {expected} {found}");
        }
    }
}

#[test]
fn all_unknown_operators_are_named() {
    let lines = "a = Levitate(x)\n b = Hover(a)\n output = Add(x, b)";
    let error = load(&notation::model(lines, 17), Engine::Tract).expect_err("no engine has them");
    assert_eq!(error.code(), "invalid_model");
    let message = error.to_string();
    assert!(
        message.contains("Hover (1 node: `node of b`), Levitate (1 node"),
        "{message}"
    );
}

#[test]
fn operators_that_only_tract_onnx_has() {
    for case in FALLBACK_CASES {
        check(&[(case.lines, case.lines)], 17);
        let encoder = load(&notation::model(case.lines, 17), Engine::Tract).expect("it loads");
        let info = encoder.info();
        assert_eq!(info.fallback_operators, case.operators, "{}", case.lines);
        // Everything else runs on our own kernels.
        assert!(matches!(info.graph, GraphForm::Fused(_)), "{}", info.graph);
    }
}

#[test]
fn branches_read_values_of_the_graph_around_them() {
    let encode = |engine| {
        let encoder = load(&branches(), engine).expect("the graph runs");
        encoder.encode_document("One text.").expect("it encodes")
    };
    let (expected, found) = (encode(Engine::OnnxRuntime), encode(Engine::Tract));
    assert!(!expected.as_slice().is_empty());
    assert_eq!(expected.as_slice().len(), found.as_slice().len());
    for (&expected, &found) in expected.as_slice().iter().zip(found.as_slice()) {
        assert!(is_near(expected, found), "{expected} {found}");
    }
}
