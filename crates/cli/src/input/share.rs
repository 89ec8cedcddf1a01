//! The share of one process among several that encode an input together.

use std::str::FromStr;

/// Texts that belong to one process together, where there are fewer files than
/// processes.
const BLOCK: usize = 1024;

/// `I/N`: the I-th of N processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// From 0.
    pub(crate) index: usize,
    pub(crate) count: usize,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| {
            Some((index.parse::<usize>().ok()?, count.parse::<usize>().ok()?))
        });
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self {
                index: index - 1,
                count,
            }),
            _ => Err("expected I/N, with I from 1 to N".to_owned()),
        }
    }
}

impl Share {
    /// Which texts of a file are in the share: those of every N-th file or,
    /// where there are fewer files, every N-th block of texts.
    pub(super) fn members(self, file: usize, files: usize) -> Members {
        if files < self.count {
            Members::Blocks(self)
        } else if file % self.count == self.index {
            Members::All
        } else {
            Members::None
        }
    }
}

/// Which texts of a file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    All,
    None,
    Blocks(Share),
}

impl Members {
    /// Whether the text at a position of the input is read.
    pub(super) fn contain(self, text: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Blocks(share) => text / BLOCK % share.count == share.index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parsed() {
        let share = |index, count| Ok(Share { index, count });
        assert_eq!("1/1".parse(), share(0, 1));
        assert_eq!("3/16".parse(), share(2, 16));
        for wrong in ["0/4", "5/4", "4", "/", "a/b", "-1/4", "1/0", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_text_is_in_one_share() {
        for (files, count) in [(1, 3), (2, 3), (3, 3), (7, 3)] {
            for file in 0..files {
                for text in [0, 1023, 1024, 5000, 1 << 30] {
                    let owns = |&index: &usize| {
                        let share = Share { index, count };
                        share.members(file, files).contain(text)
                    };
                    assert_eq!((0..count).filter(owns).count(), 1);
                }
            }
        }
    }
}
