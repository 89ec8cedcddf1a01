//! The library's options by the flags that set them.

use std::borrow::Cow;

use multivec::Error;

/// Flags that are not named after the library's option.
const RENAMED: [(&str, &str); 10] = [
    ("batch_limit", "--batch-size or --token-budget"),
    ("cache_dir", "HF_HUB_CACHE"),
    ("endpoint", "HF_ENDPOINT"),
    ("pooling", "--pool-factor"),
    ("revision", "--model"),
    ("target", "--min-mean or --min-p1"),
    ("target.mean", "--min-mean"),
    ("target.p1", "--min-p1"),
    ("token", "HF_TOKEN"),
    ("vector_precision", "--store"),
];

/// An error as the command line reports it.
pub(crate) fn message(error: &Error) -> String {
    match error {
        Error::InvalidOption {
            option,
            expected,
            found,
            ..
        } => format!("{}: expected {expected}, found {found}", flag(option)),
        other => other.to_string(),
    }
}

fn flag(option: &str) -> Cow<'static, str> {
    let renamed = RENAMED.iter().find(|(name, _)| *name == option);
    match renamed {
        Some(&(_, flag)) => flag.into(),
        // An environment variable.
        None if option.starts_with("MULTIVEC_") => option.to_owned().into(),
        None => format!("--{}", option.replace('_', "-")).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    /// Options that the library and the command line refuse by name.
    const OPTIONS: [&str; 24] = [
        "against",
        "arena",
        "batch_limit",
        "compute_units",
        "device",
        "device_memory",
        "document_length",
        "documents",
        "library",
        "max-batch-difference",
        "measurements",
        "model",
        "output",
        "picture",
        "pooling",
        "precision",
        "provider",
        "query_length",
        "sessions",
        "target",
        "target.mean",
        "target.p1",
        "threads",
        "vector_precision",
    ];

    #[test]
    fn options_have_flags() {
        let command = crate::Arguments::command();
        let flags: BTreeSet<String> = command
            .get_subcommands()
            .flat_map(|command| command.get_arguments())
            .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
            .collect();
        for option in OPTIONS {
            let flag = flag(option);
            for flag in flag.split(" or ") {
                assert!(flags.contains(flag), "{option}: there is no {flag}");
            }
        }
    }

    #[test]
    fn errors_name_flags() {
        let error = Error::option("query_length", "3 or more", 0);
        assert_eq!(
            message(&error),
            "--query-length: expected 3 or more, found 0"
        );
        let error = Error::option("pooling", "a factor of 1 or more", 0);
        assert!(message(&error).starts_with("--pool-factor: "));
        let error = Error::option("MULTIVEC_MAX_ISA", "`avx2`", "sse");
        assert!(message(&error).starts_with("MULTIVEC_MAX_ISA: "));
    }
}
