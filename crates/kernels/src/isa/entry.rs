//! Entry points of kernels.

/// Declares a function that runs a kernel, generic over [`Isa`], with an
/// instruction set.
macro_rules! entry {
    (
        $(#[$doc:meta])*
        $name:ident, $entry:ident<$life:lifetime> =
            $kernel:ident($($argument:ident: $type:ty),* $(,)?)
    ) => {
        struct $entry<$life> {
            $($argument: $type,)*
        }

        impl $crate::isa::Kernel for $entry<'_> {
            type Output = ();

            #[inline(always)]
            fn run<I: $crate::isa::Isa>(self, isa: I) {
                $kernel(isa, $(self.$argument),*);
            }
        }

        $(#[$doc])*
        pub(crate) fn $name<$life>(set: $crate::isa::InstructionSet, $($argument: $type),*) {
            set.run($entry { $($argument),* });
        }
    };
}

pub(crate) use entry;
