//! A cache of tokenized words. Most words of a text hit it, in a fraction of the
//! time that tokenizing them takes.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use tokenizers::{PostProcessor, PostProcessorWrapper, Tokenizer};

use super::{TokenRole, Tokens, chunks};

/// Most words in the cache, about a megabyte. The first words stay: the most
/// frequent ones are among them.
const MOST: usize = 1 << 14;
/// Bytes of the longest word in the cache.
const LONGEST: usize = 32;

/// A token of a word, and its bytes in the word.
#[derive(Clone, Copy)]
struct Token {
    id: u32,
    start: u32,
    end: u32,
}

/// For tokenizers with independent words and the same special tokens around
/// every text.
pub(super) struct WordCache {
    words: RwLock<HashMap<Box<str>, Box<[Token]>>>,
    special: SpecialTokens,
}

/// The special tokens before and after a text.
#[derive(Default, PartialEq)]
struct SpecialTokens {
    before: Vec<u32>,
    after: Vec<u32>,
}

impl SpecialTokens {
    /// Those of a text that the post-processor merely puts tokens around.
    fn around(
        text: &str,
        tokenizer: &Tokenizer,
        processor: Option<&PostProcessorWrapper>,
    ) -> Option<Self> {
        let plain = tokenizer.encode(text, false).ok()?;
        let Some(processor) = processor else {
            return Some(Self::default());
        };
        let whole = processor.process(plain.clone(), None, true).ok()?;
        let mask = whole.get_special_tokens_mask();
        let start = mask.iter().position(|&special| special == 0)?;
        let end = start + plain.len();
        let ids = whole.get_ids();
        let is_same = ids.get(start..end)? == plain.get_ids()
            && whole.get_offsets()[start..end] == *plain.get_offsets()
            && mask[start..end].iter().all(|&special| special == 0)
            && mask[end..].iter().all(|&special| special == 1);
        is_same.then(|| Self {
            before: ids[..start].to_vec(),
            after: ids[end..].to_vec(),
        })
    }
}

impl WordCache {
    /// `None` if the post-processor does more than add the same special tokens
    /// to every text.
    pub(super) fn new(
        tokenizer: &Tokenizer,
        processor: Option<&PostProcessorWrapper>,
    ) -> Option<Self> {
        let around = |text| SpecialTokens::around(text, tokenizer, processor);
        let special = around("late")?;
        (around("late interaction, 2")? == special).then(|| Self {
            words: RwLock::default(),
            special,
        })
    }

    /// Truncates a text to `room` tokens and adds the special tokens.
    pub(super) fn encode(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        room: usize,
    ) -> tokenizers::Result<Tokens> {
        let (mut tokens, mut count) = (Tokens::default(), 0);
        tokens.add_special(&self.special.before);
        let mut add = |word: &[Token], at: usize| {
            let left = room.saturating_sub(count).min(word.len());
            count += word.len();
            for token in &word[..left] {
                tokens.ids.push(token.id);
                let (start, end) = (token.start as usize, token.end as usize);
                tokens.offsets.push((at + start, at + end));
            }
        };
        let mut words = chunks::words(text).peekable();
        while words.peek().is_some() {
            {
                let cached = self.words.read().unwrap_or_else(PoisonError::into_inner);
                while let Some((at, word)) = words.peek()
                    && let Some(found) = cached.get(*word)
                {
                    add(found, *at);
                    words.next();
                }
            }
            if let Some((at, word)) = words.next() {
                let found = tokenize(tokenizer, word)?;
                add(&found, at);
                self.insert(word, found);
            }
        }
        tokens.roles.resize(tokens.ids.len(), TokenRole::Text);
        tokens.add_special(&self.special.after);
        tokens.found = count;
        Ok(tokens)
    }

    fn insert(&self, word: &str, tokens: Box<[Token]>) {
        if word.len() > LONGEST {
            return;
        }
        // Rather than wait for other threads, let the word miss again.
        if let Ok(mut cached) = self.words.try_write()
            && cached.len() < MOST
        {
            cached.insert(word.into(), tokens);
        }
    }
}

fn tokenize(tokenizer: &Tokenizer, word: &str) -> tokenizers::Result<Box<[Token]>> {
    let encoding = tokenizer.encode(word, false)?;
    let offsets = encoding.get_offsets().iter();
    let tokens = encoding.get_ids().iter().zip(offsets);
    Ok(tokens
        .map(|(&id, &(start, end))| Token {
            id,
            start: start as u32,
            end: end as u32,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use tokenizers::processors::byte_level::ByteLevel;
    use tokenizers::{TruncationDirection, TruncationParams};

    use super::super::chunks::tests::tokenizer;
    use super::*;

    struct Case {
        whole: Tokenizer,
        /// Without the post-processor.
        plain: Tokenizer,
        cache: WordCache,
    }

    fn case(model: &str) -> Case {
        let whole = tokenizer(model);
        let mut plain = whole.clone();
        plain.with_post_processor(None::<PostProcessorWrapper>);
        let size = chunks::size(&plain, TruncationDirection::Right);
        assert_eq!(size, chunks::CHUNK);
        let cache = WordCache::new(&plain, whole.get_post_processor());
        Case {
            cache: cache.expect("it only adds tokens"),
            whole,
            plain,
        }
    }

    static CASES: LazyLock<[Case; 2]> =
        LazyLock::new(|| ["tiny-bert", "tiny-modernbert"].map(case));

    const PARTS: [&str; 17] = [
        " ",
        "a",
        " late",
        " Late",
        " interaction",
        "ion's",
        "\n",
        ". ",
        ", ",
        "(",
        " 7.5e-3",
        " 東京",
        " e\u{301}",
        "\u{301}",
        " [MASK]",
        "[SEP] ",
        "[Q] ",
    ];

    proptest! {
        #[test]
        fn words_have_the_tokens_of_the_text(
            parts in vec(select(&PARTS[..]), 0..60),
            room in 0..40usize,
        ) {
            let text = parts.concat();
            for Case { whole, plain, cache } in CASES.iter() {
                let expected = whole.encode(&*text, false).expect("it encodes");
                let count = expected.len();
                let added = cache.special.before.len() + cache.special.after.len();
                let mut cut = whole.clone();
                let most = TruncationParams {
                    max_length: room + added,
                    ..TruncationParams::default()
                };
                cut.with_truncation(Some(most)).expect("there is room");
                let expected = cut.encode(&*text, true).expect("it encodes");
                // The second time, all words are in the cache.
                for _ in 0..2 {
                    let found = cache.encode(plain, &text, room).expect("it encodes");
                    prop_assert_eq!(found.found, count);
                    prop_assert_eq!(&found.ids[..], expected.get_ids());
                    prop_assert_eq!(&found.offsets[..], expected.get_offsets());
                    let special = |role: &TokenRole| u32::from(*role == TokenRole::Special);
                    let special: Vec<_> = found.roles.iter().map(special).collect();
                    prop_assert_eq!(&special[..], expected.get_special_tokens_mask());
                }
            }
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let Case { plain, cache, .. } = case("tiny-bert");
        let long = "ab".repeat(LONGEST);
        for text in ["late ".to_owned(), long.clone(), format!("late {long}")] {
            cache.encode(&plain, &text, 9).expect("it encodes");
        }
        let count = || cache.words.read().expect("nobody panicked").len();
        assert_eq!(count(), 2, "`late ` and `late`");
        for at in 0..MOST + 100 {
            cache.insert(&at.to_string(), Box::default());
        }
        assert_eq!(count(), MOST);
    }

    #[test]
    fn post_processors_that_move_offsets_have_no_cache() {
        let plain = tokenizer("tiny-modernbert");
        let trims = ByteLevel::default().trim_offsets(true);
        assert!(WordCache::new(&plain, Some(&trims.into())).is_none());
        assert!(WordCache::new(&plain, None).is_some());
    }
}
