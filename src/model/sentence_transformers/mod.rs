//! Models of sentence-transformers, and of transformers alone, which that
//! library loads with modules of its own choice.

mod behind;
mod cross_encoder;
mod dense;
mod multi_vector;
mod sparse;
mod text;

pub(super) use cross_encoder::read as cross_encoder;
pub(super) use dense::read as dense;
pub(super) use multi_vector::read as multi_vector;
pub(super) use sparse::read as sparse;

use serde_json::Value;

use super::description::Transformer;
use super::files::Files;
use super::modules::Entry;
use super::{SENTENCE_TRANSFORMERS, sentence_bert, tokenizer, transformer};
use crate::config::{Keys, ModelConfig, PrefixStyle, Preparation, UnknownWords, shorten};
use crate::error::Result;
use text::Task;

/// What models of all kinds have.
struct Common {
    /// Those of `config_sentence_transformers.json`; none without the file.
    keys: Keys,
    config: ModelConfig,
    transformer: Transformer,
    /// Path of `tokenizer.json`.
    tokenizer: String,
    /// The file with lengths, and its keys.
    text_file: String,
    text: Keys,
    /// Most tokens of a text.
    limit: Option<usize>,
}

impl Common {
    /// Reads the files of a transformer in a folder.
    fn read(files: &Files, folder: &str) -> Result<Self> {
        let keys = files.keys_or_none(SENTENCE_TRANSFORMERS)?;
        keys.string("model_type")?;
        let mut config = ModelConfig::empty(keys.file());
        config.prefix_style = PrefixStyle::Text;
        config.preparation = Preparation::Verbatim;
        config.unknown_skiplist_words = UnknownWords::Ignored;
        let transformer = transformer::read(files, folder)?;
        let tokenizer = tokenizer::read(files, folder)?;
        let (text_file, text) = sentence_bert::read(files, folder)?;
        let limit = text::limit(&text, &transformer, tokenizer.longest)?;
        config.tokenizer = tokenizer.facts;
        Ok(Self {
            keys,
            config,
            transformer,
            tokenizer: tokenizer.path,
            text_file,
            text,
            limit,
        })
    }

    /// Lengths, prompts and the task of a model with one vector for each text
    /// or pair.
    fn read_texts(&mut self, files: &Files, task: &Task) -> Result<()> {
        text::check_task(&self.text, task)?;
        self.read_plain_texts(files)
    }

    fn read_plain_texts(&mut self, files: &Files) -> Result<()> {
        text::read_lengths(&self.text, self.limit, &mut self.config)?;
        self.config.do_lower_case = self.text.boolean("do_lower_case")?.unwrap_or(false);
        self.read_prompts()?;
        self.keys.string(DEFAULT_PROMPT)?;
        files.leave_unread(&self.text_file, &self.text, &[]);
        Ok(())
    }

    /// Queries and documents have the prompts of these names. That which is
    /// named as the default is for texts of neither kind, and for pairs.
    ///
    /// Source: `SentenceTransformer.encode_query` and `encode_document`.
    fn read_prompts(&mut self) -> Result<()> {
        let keys = &self.keys;
        if let Some(prompts) = keys.object("prompts")? {
            for (name, value) in prompts.entries() {
                let text = match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => {
                        let expected = "a text for each name";
                        return Err(keys.error("prompts", expected, shorten(other)));
                    }
                };
                self.config.prompts.insert(name.clone(), text);
            }
        }
        let prompt = |name| self.config.prompts.get(name).cloned().unwrap_or_default();
        (self.config.query_prefix, self.config.document_prefix) =
            (prompt("query"), prompt("document"));
        Ok(())
    }

    /// The prompt of pairs.
    fn read_default_prompt(&mut self) -> Result<()> {
        let prompts = &self.config.prompts;
        let prompt = match self.keys.string(DEFAULT_PROMPT)? {
            None => String::new(),
            Some(name) => prompts.get(&name).cloned().ok_or_else(|| {
                let expected = "the name of one of the `prompts`";
                let found = format_args!("`{name}`");
                self.keys.error(DEFAULT_PROMPT, expected, found)
            })?,
        };
        self.config.query_prefix.clear();
        self.config.document_prefix = prompt;
        Ok(())
    }
}

const DEFAULT_PROMPT: &str = "default_prompt_name";

/// The folder of the transformer, and the modules behind it; the model's own
/// folder without a list of modules.
fn split(entries: &[Entry]) -> (&str, &[Entry]) {
    super::modules::split(entries)
}
