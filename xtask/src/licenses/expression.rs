//! SPDX expressions, such as `(MIT OR Apache-2.0) AND Unicode-3.0`.

/// Whether licences of the list are enough.
pub(super) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    // Crates of old have `MIT/Apache-2.0`.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = Words {
        words: spaced.split_whitespace().collect(),
        at: 0,
    };
    let is_allowed = words.any(allowed);
    is_allowed && words.at == words.words.len()
}

struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl Words<'_> {
    fn any(&mut self, allowed: &[String]) -> bool {
        let mut is_allowed = self.all(allowed);
        while self.take("OR") {
            is_allowed |= self.all(allowed);
        }
        is_allowed
    }

    fn all(&mut self, allowed: &[String]) -> bool {
        let mut is_allowed = self.one(allowed);
        while self.take("AND") {
            is_allowed &= self.one(allowed);
        }
        is_allowed
    }

    fn one(&mut self, allowed: &[String]) -> bool {
        if self.take("(") {
            let is_allowed = self.any(allowed);
            return self.take(")") && is_allowed;
        }
        let Some(&name) = self.words.get(self.at) else {
            return false;
        };
        self.at += 1;
        let mut name = name.to_owned();
        if self.take("WITH") {
            let exception = self.words.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            name = format!("{name} WITH {exception}");
        }
        allowed.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn alternatives_and_sums() {
        let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
        for (expression, expected) in [
            ("MIT", true),
            ("Apache-2.0", false),
            ("MIT/Apache-2.0", true),
            ("MIT OR Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("MIT AND Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("Apache-2.0 WITH LLVM-exception", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
    }
}
