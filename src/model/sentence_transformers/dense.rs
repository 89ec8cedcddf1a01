//! `SentenceTransformer`: a pooling behind the transformer.

use super::super::MODULES;
use super::super::dense::{self as layers, Rows, WithoutActivation};
use super::super::description::{Format, ModelDescription};
use super::super::files::{Files, join};
use super::super::kind::{DenseDescription, HeadDescription};
use super::super::layers::Module;
use super::super::modules::{self, Entry, Kind};
use super::super::{SENTENCE_TRANSFORMERS, hybrid, transformer};
use super::text::FEATURES;
use super::{Common, split};
use crate::config::Keys;
use crate::dense::{PromptTokens, SentencePooling, Similarity, TokenPooling};
use crate::error::{Error, Result};
use crate::normalization::Normalization;

pub(in crate::model) fn read(files: &Files) -> Result<ModelDescription> {
    let entries = files.has(MODULES).then(|| modules::read(files));
    let entries = entries.transpose()?;
    let (folder, rest) = entries.as_deref().map_or(("", None), |entries| {
        let (folder, rest) = split(entries);
        (folder, Some(rest))
    });
    let mut common = Common::read(files, folder)?;
    common.read_texts(files, &FEATURES)?;
    let similarity = similarity(&common.keys)?;
    files.leave_unread(SENTENCE_TRANSFORMERS, &common.keys, &["__version__"]);
    let behind = match rest {
        Some(rest) => Behind::read(files, rest)?,
        None => Behind::default(),
    };
    let before = behind.before.iter().filter_map(|module| match module {
        Module::Dense(dense) => Some(dense),
        Module::Normalize => None,
    });
    layers::check_widths(files, &common.transformer, before)?;
    let model = ModelDescription {
        format: behind.format,
        head: HeadDescription::Dense(DenseDescription {
            pooling: behind.pooling,
            modules: behind.after,
            similarity,
        }),
        config: common.config,
        tokenizer: common.tokenizer,
        weights: transformer::weights(files, folder)?,
        transformer: Some(common.transformer),
        modules: behind.before,
        normalization: behind.normalization,
        pooling: None,
        unused: Vec::new(),
    };
    Ok(hybrid::with_heads(files, model))
}

/// The modules behind the transformer.
struct Behind {
    format: Format,
    /// For the states of tokens.
    before: Vec<Module>,
    pooling: SentencePooling,
    /// For the pooled vector.
    after: Vec<Module>,
    normalization: Normalization,
}

impl Default for Behind {
    /// What sentence-transformers puts behind a transformer without modules.
    fn default() -> Self {
        Self {
            format: Format::Transformers,
            before: Vec::new(),
            pooling: SentencePooling {
                modes: vec![TokenPooling::Mean],
                prompt: PromptTokens::Included,
            },
            after: Vec::new(),
            normalization: Normalization::Off,
        }
    }
}

impl Behind {
    fn read(files: &Files, entries: &[Entry]) -> Result<Self> {
        let (mut before, mut pooling, mut after) = (Vec::new(), None, Vec::new());
        for entry in entries {
            match (entry.kind, &pooling) {
                (Kind::Dropout, _) => {}
                (Kind::Pooling, None) => pooling = Some(read_pooling(files, entry)?),
                (Kind::Dense, None) => {
                    let rows = Rows::Tokens;
                    before.push(read_dense(files, entry, rows)?);
                }
                (Kind::Dense, Some(_)) if Rows::of(files, entry)? == Rows::Sentences => {
                    after.push(read_dense(files, entry, Rows::Sentences)?);
                }
                (Kind::Normalize, Some(_)) => after.push(Module::Normalize),
                _ => return Err(modules::refused(&files.name(MODULES), entry)),
            }
        }
        let Some(pooling) = pooling else {
            let expected = "a Pooling behind the transformer";
            return Err(Error::config_value(
                files.name(MODULES),
                "type",
                expected,
                "none",
            ));
        };
        let is_normalized = after.pop_if(|last| *last == Module::Normalize).is_some();
        Ok(Self {
            format: Format::SentenceTransformers,
            before,
            pooling,
            after,
            normalization: if is_normalized {
                Normalization::L2
            } else {
                Normalization::Off
            },
        })
    }
}

fn read_dense(files: &Files, entry: &Entry, rows: Rows) -> Result<Module> {
    layers::read(files, entry, rows, &WithoutActivation::Tanh).map(Module::Dense)
}

/// The modes, in the order in which their vectors are concatenated, and the
/// keys of versions before 5.
const MODES: [(&str, &str, TokenPooling); 6] = [
    ("cls", "pooling_mode_cls_token", TokenPooling::Cls),
    ("max", "pooling_mode_max_tokens", TokenPooling::Max),
    ("mean", "pooling_mode_mean_tokens", TokenPooling::Mean),
    (
        "mean_sqrt_len_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
        TokenPooling::MeanSqrtLen,
    ),
    (
        "weightedmean",
        "pooling_mode_weightedmean_tokens",
        TokenPooling::WeightedMean,
    ),
    (
        "lasttoken",
        "pooling_mode_lasttoken",
        TokenPooling::LastToken,
    ),
];

fn read_pooling(files: &Files, entry: &Entry) -> Result<SentencePooling> {
    const MODE: &str = "pooling_mode";
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of the pooling")?;
    let mut modes = Vec::new();
    for (_, key, mode) in MODES {
        if keys.boolean(key)? == Some(true) {
            modes.push(mode);
        }
    }
    let names = match keys.get(MODE) {
        None => Vec::new(),
        Some(value) if value.is_string() => keys.string(MODE)?.into_iter().collect(),
        Some(_) => keys.strings(MODE)?.unwrap_or_default(),
    };
    if !names.is_empty() {
        let mode = |name: &String| {
            let known = MODES.iter().find(|(known, ..)| known == name);
            known.map(|(.., mode)| *mode).ok_or_else(|| {
                let known = MODES.map(|(name, ..)| name).join(", ");
                keys.error(MODE, &format!("one of {known}"), format_args!("`{name}`"))
            })
        };
        modes = names.iter().map(mode).collect::<Result<_>>()?;
    }
    if modes.is_empty() {
        modes.push(TokenPooling::Mean);
    }
    let prompt = match keys.boolean("include_prompt")? {
        Some(false) => PromptTokens::Excluded,
        _ => PromptTokens::Included,
    };
    files.leave_unread(
        &path,
        &keys,
        &["embedding_dimension", "word_embedding_dimension"],
    );
    Ok(SentencePooling { modes, prompt })
}

fn similarity(keys: &Keys) -> Result<Similarity> {
    const KEY: &str = "similarity_fn_name";
    Ok(match keys.string(KEY)?.as_deref() {
        None | Some("cosine") => Similarity::Cosine,
        Some("dot") => Similarity::Dot,
        Some("euclidean") => Similarity::Euclidean,
        Some("manhattan") => Similarity::Manhattan,
        Some(other) => {
            let expected = "`cosine`, `dot`, `euclidean` or `manhattan`";
            return Err(keys.error(KEY, expected, format_args!("`{other}`")));
        }
    })
}
