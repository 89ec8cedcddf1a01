//! Words that were tokenized before, which most words of a text were: to look one
//! up takes a fraction of the time, and gives the same tokens where words do not
//! depend on each other.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use tokenizers::{PostProcessor, PostProcessorWrapper, Tokenizer};

use super::{TokenRole, Tokens, chunks};

/// Most words that are kept: about a megabyte. The first ones stay, among which
/// are the most frequent.
const MOST: usize = 1 << 14;
/// Bytes of the longest word that is kept.
const LONGEST: usize = 32;

/// A token of a word, and the bytes of the word that it stands for.
#[derive(Clone, Copy)]
struct Token {
    id: u32,
    start: u32,
    end: u32,
}

/// For tokenizers that put the same tokens around every text, and whose words are
/// apart.
pub(super) struct Words {
    known: RwLock<HashMap<Box<str>, Box<[Token]>>>,
    /// Special tokens before a text, and behind it.
    around: [Vec<u32>; 2],
}

impl Words {
    /// `None` where the post-processor does more than to add tokens.
    pub(super) fn new(
        tokenizer: &Tokenizer,
        processor: Option<&PostProcessorWrapper>,
    ) -> Option<Self> {
        let mut samples = ["late", "late interaction, 2"].map(|text| {
            let plain = tokenizer.encode(text, false).ok()?;
            let Some(processor) = processor else {
                return Some(Default::default());
            };
            let whole = processor.process(plain.clone(), None, true).ok()?;
            let mask = whole.get_special_tokens_mask();
            let start = mask.iter().position(|&special| special == 0)?;
            let end = start + plain.len();
            let is_same = whole.get_ids().get(start..end)? == plain.get_ids()
                && whole.get_offsets()[start..end] == *plain.get_offsets()
                && mask[start..end].iter().all(|&special| special == 0)
                && mask[end..].iter().all(|&special| special == 1);
            let ids = whole.get_ids();
            is_same.then(|| [&ids[..start], &ids[end..]].map(<[u32]>::to_vec))
        });
        let around = samples[0].take()?;
        (samples[1].as_ref() == Some(&around)).then(|| Self {
            known: RwLock::default(),
            around,
        })
    }

    /// The first tokens of a text, as many as there is room for, between special
    /// ones, and how many of the text's there are in all.
    pub(super) fn encode(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        room: usize,
    ) -> tokenizers::Result<(Tokens, usize)> {
        let [before, behind] = &self.around;
        let (mut tokens, mut count) = (Tokens::default(), 0);
        tokens.add_special(before);
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
                let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
                while let Some((at, word)) = words.peek()
                    && let Some(found) = known.get(*word)
                {
                    add(found, *at);
                    words.next();
                }
            }
            if let Some((at, word)) = words.next() {
                let made = tokenize(tokenizer, word)?;
                add(&made, at);
                self.keep(word, made);
            }
        }
        tokens.roles.resize(tokens.ids.len(), TokenRole::Text);
        tokens.add_special(behind);
        Ok((tokens, count))
    }

    fn keep(&self, word: &str, tokens: Box<[Token]>) {
        if word.len() > LONGEST {
            return;
        }
        // Others are not waited for: the word will come again.
        if let Ok(mut known) = self.known.try_write()
            && known.len() < MOST
        {
            known.insert(word.into(), tokens);
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

    /// A tokenizer with all that it does to a text, and one with words.
    fn both(model: &str) -> (Tokenizer, Tokenizer, Words) {
        let whole = tokenizer(model);
        let mut plain = whole.clone();
        plain.with_post_processor(None::<PostProcessorWrapper>);
        let size = chunks::size(&plain, TruncationDirection::Right);
        assert_eq!(size, chunks::PIECE);
        let words = Words::new(&plain, whole.get_post_processor());
        (whole, plain, words.expect("it adds tokens alone"))
    }

    static TOKENIZERS: LazyLock<[(Tokenizer, Tokenizer, Words); 2]> =
        LazyLock::new(|| ["tiny-bert", "tiny-modernbert"].map(both));

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
            for (whole, plain, words) in TOKENIZERS.iter() {
                let expected = whole.encode(&*text, false).expect("it encodes");
                let count = expected.len();
                let added = words.around.concat().len();
                let mut cut = whole.clone();
                let most = TruncationParams {
                    max_length: room + added,
                    ..TruncationParams::default()
                };
                cut.with_truncation(Some(most)).expect("there is room");
                let expected = cut.encode(&*text, true).expect("it encodes");
                // The second time, all of them are known.
                for _ in 0..2 {
                    let found = words.encode(plain, &text, room);
                    let (found, all) = found.expect("it encodes");
                    prop_assert_eq!(all, count);
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
    fn what_is_kept_is_bounded() {
        let (_, plain, words) = both("tiny-bert");
        let long = "ab".repeat(LONGEST);
        for text in ["late ".to_owned(), long.clone(), format!("late {long}")] {
            words.encode(&plain, &text, 9).expect("it encodes");
        }
        let known = || words.known.read().expect("nobody panicked").len();
        assert_eq!(known(), 2, "`late ` and `late`");
        for at in 0..MOST + 100 {
            words.keep(&at.to_string(), Box::default());
        }
        assert_eq!(known(), MOST);
    }

    #[test]
    fn post_processors_that_move_offsets_are_left_to_themselves() {
        let plain = tokenizer("tiny-modernbert");
        let trims = ByteLevel::default().trim_offsets(true);
        assert!(Words::new(&plain, Some(&trims.into())).is_none());
        assert!(Words::new(&plain, None).is_some());
    }
}
