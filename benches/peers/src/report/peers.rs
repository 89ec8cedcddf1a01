//! Encoders on servers, side by side.

use std::fs;

use multivec_peers_protocol::Result;

use super::markdown::{or_dash, table, three};
use super::{missing, origin, plot};
use crate::machine::PEERS_WITHOUT_VNNI;
use crate::models::root;
use crate::results::{Compared, Comparison, Measured};

/// The section of that name, and its plot, a file of that name.
pub fn section(name: &str, found: &Comparison) -> Result<String> {
    let where_measured = match name {
        PEERS_WITHOUT_VNNI => "servers without VNNI",
        _ => "servers",
    };
    let plot_file = format!("{name}.svg");
    let path = root().join("benches").join(&plot_file);
    fs::write(&path, plot::throughput(found))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = format!(
        "## Beside other encoders, on {where_measured}\n\n\
         Each encoder runs in a process of its own, in its own settings by name; those of \
         next-plaid-onnx 1.8.5: `default` (one thread), `cpu` (its CPU provider, all cores), \
         `parallel` (a session a core), and `planned batches` (its functions that tokenize, sort \
         and plan first). The tokenizer's file has no truncation of its own here: with one, \
         next-plaid-onnx cuts texts there, whatever the document length. `original graph` is multivec \
         without fusing. PyLate runs FP32 on all \
         cores in batches of 32, also beside INT8. fastembed runs in its defaults; it has markers \
         for a list of models alone, so the benchmark gives it the model's, and brings ONNX Runtime \
         in a package of its own, of the same version. Ratios say how many times as fast multivec \
         is in its default. Calls have about as many tokens, whatever the length of their texts; \
         one with fewer takes tens of milliseconds, so that it shows there that each encoder \
         rests before a call. Texts are the same in each round, of few words, so that multivec's \
         tokenizer knows all of them.\n\n\
         ![Documents a second]({plot_file})\n"
    );
    for model in &found.models {
        text += &format!("\n### {}\n{}\n\n", model.model, origin(&model.machine));
        text += &compared(&model.found);
    }
    text += &out_of_the_box(found);
    Ok(text + &missing(&found.missing))
}

fn compared(model: &Compared) -> String {
    let cases: Vec<&str> = model
        .encoders
        .first()
        .map(|first| {
            first
                .throughput
                .iter()
                .map(|(case, _)| case.as_str())
                .collect()
        })
        .unwrap_or_default();
    let measured: Vec<&Measured> = model
        .encoders
        .iter()
        .filter(|encoder| !encoder.throughput.is_empty())
        .collect();
    let head = ["docs/s (ratio)"].into_iter().chain(cases.iter().copied());
    let head: Vec<&str> = head.chain([COSINE]).collect();
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|encoder| {
            let speeds = encoder.throughput.iter().zip(&measured[0].throughput);
            let cells = speeds.map(|((_, speed), (_, own))| {
                format!("{} ({:.2})", three(speed.median), own.median / speed.median)
            });
            let cosine = format!("{:.4}", encoder.cosine_mean);
            [encoder.encoder.clone()]
                .into_iter()
                .chain(cells)
                .chain([cosine])
                .collect()
        })
        .collect();
    let mut text = table(&head, &rows);
    text += &format!("\nCosine: mean over rows, to {}.\n\n", model.reference);
    text += &latency(model);
    match model.skipped.as_slice() {
        [] => text,
        skipped => text + &format!("\nSkipped: {}.\n", skipped.join("; ")),
    }
}

const COSINE: &str = "cosine";

fn latency(model: &Compared) -> String {
    let rows: Vec<Vec<String>> = model
        .encoders
        .iter()
        .map(|encoder| {
            vec![
                encoder.encoder.clone(),
                or_dash(encoder.query.map(|query| query.p50)),
                or_dash(encoder.query.map(|query| query.p99)),
                or_dash(encoder.first.map(|first| first.median)),
            ]
        })
        .collect();
    let head = [
        "ms",
        "query, p50",
        "query, p99",
        "process start to first embedding",
    ];
    table(&head, &rows)
}

/// Defaults against defaults: multivec takes INT8, next-plaid-onnx FP32.
fn out_of_the_box(found: &Comparison) -> String {
    let of = |precision: &str, encoder: &str| {
        let name = format!("minilm-colbert {precision}");
        let model = found.models.iter().find(|model| model.model == name)?;
        model
            .found
            .encoders
            .iter()
            .find(|measured| measured.encoder == encoder)
    };
    let pair = of("int8", "multivec, default").zip(of("fp32", "next-plaid-onnx, default"));
    let Some((own, peer)) = pair else {
        return String::new();
    };
    let ratios: Vec<String> = own
        .throughput
        .iter()
        .zip(&peer.throughput)
        .map(|((case, own), (_, peer))| format!("{case} {:.2}", own.median / peer.median))
        .collect();
    format!(
        "\nWith nothing set at all, multivec takes the model in INT8 and next-plaid-onnx in FP32: \
         the ratios, of two tables that were not measured in turns, are {}.\n",
        ratios.join(", ")
    )
}
