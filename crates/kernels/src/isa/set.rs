//! The choice among the instruction sets of a platform.

use std::sync::OnceLock;

#[cfg(test)]
use super::Plain;
use super::{InstructionSet, limit};

/// Declares the instruction sets of a platform, the fastest first.
macro_rules! instruction_sets {
    ($($(#[$attribute:meta])* $name:ident($token:ty) = $text:literal,)+) => {
        /// An instruction set of this machine: each variant holds the token that
        /// proves it.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum InstructionSet {
            $($(#[$attribute])* $name($token),)+
            /// [`Plain`] with several scales a row.
            #[cfg(test)]
            Blocks(Plain<3>),
        }

        impl InstructionSet {
            /// All that this machine has, the fastest first; at least one.
            pub(super) fn all() -> Vec<Self> {
                let all = [$($(#[$attribute])* <$token>::detect().map(Self::$name),)+];
                all.into_iter().flatten().collect()
            }

            /// Its name, see [`MAX_ISA`](super::MAX_ISA).
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $($(#[$attribute])* Self::$name(_) => $text,)+
                    #[cfg(test)]
                    Self::Blocks(_) => "blocks",
                }
            }

            /// Runs a kernel with these instructions.
            pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
                match self {
                    $($(#[$attribute])* Self::$name(isa) => isa.run(kernel),)+
                    #[cfg(test)]
                    Self::Blocks(isa) => isa.run(kernel),
                }
            }
        }
    };
}

/// Calls a function that is generic over a tile's number of rows.
#[allow(unused_macros, reason = "plain Rust has one function for all")]
macro_rules! by_rows {
    ($rows:expr, $tile:ident $arguments:tt, $($count:literal)+) => {
        match $rows {
            $($count => $tile::<$count> $arguments,)+
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}

impl InstructionSet {
    /// The fastest that this machine has, and [`MAX_ISA`](super::MAX_ISA) allows.
    pub(in super::super) fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| limit::best(&Self::all()))
    }

    /// Whether its instructions work on more than one number.
    pub(in super::super) fn has_vectors(self) -> bool {
        self.layout().lanes > 1
    }
}

#[cfg(test)]
impl InstructionSet {
    pub(in super::super) const PLAIN: Self = Self::Plain(Plain);
    pub(in super::super) const BLOCKS: Self = Self::Blocks(Plain);
}
