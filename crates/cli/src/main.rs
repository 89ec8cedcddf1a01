//! The command line `multivec`.

mod arguments;
mod commands;
mod console;
mod demo;
mod input;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{encode, info, optimize, quantize, runtime, search, verify};
use console::{Format, Verdict, is_closed_pipe, print};
use multivec::Error;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

/// Late-interaction (ColBERT) text encoder.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// Print JSON for machines; the last line on stdout is one object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Encode a file of texts into a file of embeddings.
    Encode(encode::Arguments),
    /// Encode documents and rank them for queries.
    Search(search::Arguments),
    /// Show what is known about a model.
    Info(info::Arguments),
    /// Write a model with its graph fused for ONNX Runtime.
    Optimize(optimize::Arguments),
    /// Write an INT8 model, made of the FP32 model.
    Quantize(quantize::Arguments),
    /// Measure how close a model comes to another one.
    Verify(verify::Arguments),
    /// Show which ONNX Runtime libraries were found, and which one is used.
    Runtime(runtime::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = match arguments.json {
        true => Format::Json,
        false => Format::Text,
    };
    let done = match &arguments.command {
        Command::Encode(arguments) => encode::run(arguments, format),
        Command::Search(arguments) => search::run(arguments, format),
        Command::Info(arguments) => info::run(arguments, format),
        Command::Optimize(arguments) => optimize::run(arguments, format),
        Command::Quantize(arguments) => quantize::run(arguments, format),
        Command::Verify(arguments) => match verify::run(arguments, format) {
            Ok(Verdict::Missed) => return ExitCode::from(FAILURE),
            other => other.map(drop),
        },
        Command::Runtime(arguments) => runtime::run(arguments, format),
    };
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    if is_closed_pipe(&error) {
        // Whoever reads our output has seen enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error}");
    if format == Format::Json {
        let object = serde_json::json!({
            "error": { "code": error.code(), "message": error.to_string() }
        });
        // Nothing is left to do if stdout is gone as well.
        let _ = print(&object.to_string());
    }
    ExitCode::from(match error {
        Error::InvalidOption { .. } => USAGE,
        _ => FAILURE,
    })
}
