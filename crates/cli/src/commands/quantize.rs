//! `multivec quantize`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use multivec::{
    Error, Existing, Fidelity, FidelityTarget, LayerKind, LayerReport, LoadOptions, Precision,
    QuantizeOptions, QuantizeReport, QuantizeStep, Result, WeightRange, quantize_model,
};
use serde_json::{Value, json};

use crate::console::{Format, print};
use crate::models;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Directory of the FP32 model, or id.
    #[arg(long, value_name = "DIR|ID")]
    model: PathBuf,
    /// Output directory, created if it does not exist [default: the model's own,
    /// which then has both].
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace an existing INT8 model.
    #[arg(long)]
    overwrite: bool,
    /// Minimum mean cosine to the token vectors of the FP32 model.
    #[arg(long, value_name = "X", default_value_t = FidelityTarget::default().mean)]
    min_mean: f64,
    /// Minimum first percentile of these cosines.
    #[arg(long, value_name = "X", default_value_t = FidelityTarget::default().p1)]
    min_p1: f64,
    /// Range of quantized weights; `reduced` is for models that plain ONNX
    /// Runtime runs on x86 processors without VNNI.
    #[arg(long, default_value = "full")]
    weight_range: RangeName,
    /// Maximum runs of the model in search of layers to leave in FP32.
    #[arg(long, value_name = "N", default_value_t = QuantizeOptions::default().measurements)]
    measurements: usize,
    /// Size from which weights are in a file beside the model.
    #[arg(long, value_name = "BYTES", default_value_t = QuantizeOptions::default().external_above)]
    external_above: u64,
    /// ONNX Runtime library [default: see `multivec runtime`].
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RangeName {
    Full,
    Reduced,
}

impl Arguments {
    fn options(&self) -> QuantizeOptions {
        let mut options = QuantizeOptions::default();
        options.target = FidelityTarget::new(self.min_mean, self.min_p1);
        options.range = match self.weight_range {
            RangeName::Full => WeightRange::Full,
            RangeName::Reduced => WeightRange::Reduced,
        };
        options.measurements = self.measurements;
        options.external_above = self.external_above;
        options.existing = if self.overwrite {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        options.library.clone_from(&self.library);
        options
    }
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    if arguments.output.is_none() && models::is_of_hub(&arguments.model) {
        let expected = "a directory, since the model's own is in the cache of a hub";
        return Err(Error::option("output", expected, "none"));
    }
    let mut load = LoadOptions::default();
    load.precision = Some(Precision::Fp32);
    let directory = models::directory(&arguments.model, &load)?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    let mut progress = |step| {
        let (message, done, of) = match step {
            QuantizeStep::Weights { done, of } => ("layers", done, of),
            QuantizeStep::Measured { done, of } => ("measurements, at most", done, of),
            _ => return,
        };
        bar.set_message(message);
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let output = arguments.output.as_deref();
    let report = quantize_model(&directory, output, &arguments.options(), &mut progress)?;
    bar.finish_and_clear();
    match format {
        Format::Json => print(&as_json(&report).to_string()),
        Format::Text => print_text(&report),
    }
}

fn kept(report: &QuantizeReport) -> impl Iterator<Item = &LayerReport> {
    let layers = report.layers.iter();
    layers.filter(|layer| layer.precision == Precision::Fp32)
}

fn as_json(report: &QuantizeReport) -> Value {
    let fidelity =
        |found: Fidelity| json!({ "mean": found.mean, "p1": found.p1, "minimum": found.minimum });
    let layer = |layer: &LayerReport| {
        json!({
            "name": layer.name,
            "kind": kind(layer.kind),
            "shape": layer.shape,
            "precision": layer.precision.to_string(),
            "smoothed": layer.smoothed,
            "fidelity_with_it_in_fp32": layer.alone.map(fidelity),
        })
    };
    let in_fp32 = kept(report).count();
    json!({
        "file": report.file.display().to_string(),
        "data": report.data.as_ref().map(|path| path.display().to_string()),
        "bytes_before": report.bytes_before,
        "bytes_after": report.bytes_after,
        "quantized": report.layers.len() - in_fp32,
        "left_in_fp32": in_fp32,
        "fidelity": fidelity(report.fidelity),
        "fidelity_all_quantized": fidelity(report.all_quantized),
        "fidelity_quantized_at_load": report.at_load.map(fidelity),
        "measurements": report.measurements,
        "layers": report.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn print_text(report: &QuantizeReport) -> Result<()> {
    let in_fp32 = kept(report).count();
    let smoothed = report.layers.iter().filter(|layer| layer.smoothed).count();
    print(&format!(
        "layers        {} quantized, {smoothed} of them smoothed, {in_fp32} left in FP32",
        report.layers.len() - in_fp32
    ))?;
    let all = report.all_quantized;
    for layer in kept(report) {
        let [rows, columns] = layer.shape;
        let gain = match layer.alone {
            Some(alone) => format!(
                "{:+.5} of the mean, {:+.5} of the first percentile",
                alone.mean - all.mean,
                alone.p1 - all.p1
            ),
            None => String::new(),
        };
        print(&format!(
            "  {} {} [{rows}, {columns}]: {gain}",
            kind(layer.kind),
            layer.name
        ))?;
    }
    if in_fp32 > 0 {
        print(&format!("all quantized {}", cosines(all)))?;
    }
    print(&format!("fidelity      {}", cosines(report.fidelity)))?;
    if let Some(at_load) = report.at_load {
        print(&format!("at load       {}", cosines(at_load)))?;
    }
    print(&format!(
        "size          {:.1} MB, {:.1} MB before",
        megabytes(report.bytes_after),
        megabytes(report.bytes_before)
    ))?;
    print(&format!("written to    {}", report.file.display()))
}

fn cosines(found: Fidelity) -> String {
    format!(
        "mean {:.5}, first percentile {:.5}, minimum {:.5}",
        found.mean, found.p1, found.minimum
    )
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn kind(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Embedding => "embedding",
        _ => "product",
    }
}
