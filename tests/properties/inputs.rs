//! The encoders under test and generated inputs.

use std::sync::LazyLock;

use multivec::{EncodeOptions, Encoder, Precision};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use multivec_testing::models::{build, load, with_config};
use multivec_testing::{TINY_BERT, TINY_MODERNBERT, tract};

static BERT: LazyLock<Encoder> =
    LazyLock::new(|| load(&TINY_BERT, Precision::Fp32, &EncodeOptions::default()));
static MODERNBERT: LazyLock<Encoder> =
    LazyLock::new(|| load(&TINY_MODERNBERT, Precision::Fp32, &EncodeOptions::default()));
static TRACT: LazyLock<Encoder> =
    LazyLock::new(|| tract::load(&TINY_BERT, Precision::Fp32, &EncodeOptions::default()));
static LOWER_CASED: LazyLock<Encoder> = LazyLock::new(|| {
    let bytes = with_config(&TINY_MODERNBERT, |config| {
        config.insert("do_lower_case".to_owned(), true.into());
    });
    build(bytes).expect("the model loads")
});

/// Both tiny models with ONNX Runtime, and one with tract.
pub fn encoders() -> [&'static Encoder; 3] {
    [&BERT, &MODERNBERT, &TRACT]
}

/// Both tiny models, and one that lower-cases texts.
pub fn tokenizing_encoders() -> [&'static Encoder; 3] {
    [&BERT, &MODERNBERT, &LOWER_CASED]
}

/// A configuration with this many cases; proptest's default number takes
/// minutes without optimization.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

const PIECES: [&str; 40] = [
    "the ",
    "capital ",
    "of ",
    "quantization ",
    "antidisestablishmentarianism",
    "x",
    "!?.,;:",
    " ",
    "\n\t\r\n",
    "\u{0}",
    "\u{7}",
    "\u{1c}",
    "\u{85}",
    "\u{a0}",
    "\u{200b}",
    "\u{feff}",
    "e\u{301}",
    "\u{300}\u{300}\u{300}",
    "\u{e9}",
    "👩‍👩‍👧‍👦",
    "🇫🇷",
    "🚀🔥",
    "مرحبا ",
    "שלום ",
    "\u{202e}",
    "東京",
    "서울",
    "नमस्ते",
    "İ",
    "ẞ",
    "ΑΣ ",
    "ﬁsh",
    "Ǆ",
    "[MASK]",
    "[Q] ",
    "[D] ",
    "[unused0]",
    "[CLS]",
    "[SEP][PAD]",
    "[UNK]",
];

/// Texts with many characters and tokens that tokenizers handle specially.
pub fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        1 => any::<char>().prop_map(String::from),
        3 => select(&PIECES[..]).prop_map(str::to_owned),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
