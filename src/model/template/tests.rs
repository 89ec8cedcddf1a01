use std::collections::BTreeMap;

use super::*;
use crate::config::Filling;

fn setting(flags: &BTreeMap<String, bool>) -> Setting<'_> {
    Setting {
        format: MessageFormat::Flat,
        flags,
    }
}

fn filled(template: &str, instruction: &str) -> String {
    let flags = BTreeMap::new();
    let setting = Setting {
        format: MessageFormat::of(template),
        ..setting(&flags)
    };
    let template = read(template, &setting).expect("its forms are known");
    template.fill(Filling {
        query: "q",
        document: "d",
        instruction,
    })
}

/// The texts are those that Jinja 3.1 writes for these templates.
#[test]
fn published_forms_are_filled_as_by_jinja() {
    let one = "<s>system\n<I>: {{ messages | selectattr(\"role\", \"eq\", \"system\") | \
               map(attribute=\"content\") | first | default(\"Given a query\") }}\n<Q>: {{ messages | \
               selectattr(\"role\", \"eq\", \"query\") | map(attribute=\"content\") | first }}\n<D>: \
               {{\n messages\n | selectattr('role', 'eq', 'document')\n | map(attribute=\"content\")\n \
               | first\n}}<e>\n\n</think>\n\n";
    assert_eq!(
        filled(one, ""),
        "<s>system\n<I>: Given a query\n<Q>: q\n<D>: d<e>\n\n</think>\n"
    );
    assert_eq!(
        filled(one, "own"),
        "<s>system\n<I>: own\n<Q>: q\n<D>: d<e>\n\n</think>\n"
    );
    let two = "{%- set q = (\n    messages | selectattr(\"role\", \"eq\", \"query\") | first\n).content -%}\n\
               {%- set d = (messages | selectattr(\"role\", \"eq\", \"document\") | first).content -%}\n\
               {{- \"<s>\\n\"\n    ~ \"<Q>: \" ~ q ~ \"\\n\"\n    ~ d ~ \"}} \\\"yes\\\"\"\n-}}\n";
    assert_eq!(filled(two, ""), "<s>\n<Q>: q\nd}} \"yes\"");
    let three = "A: {{ (messages | selectattr(\"role\", \"eq\", \"query\") | first).content[0].text }}\n\
                 {# a note #}\n  {% if add_generation_prompt %}\nno\n{% else %}\nyes\n  {% endif %}\nB: \
                 {{ (messages | selectattr(\"role\", \"eq\", \"document\") | first)[\"content\"][0]['text'] }}";
    assert_eq!(filled(three, ""), "A: q\nyes\nB: d");
}

#[test]
fn flags_choose_blocks() {
    let template = "{{ (messages | selectattr('role', 'eq', 'query') | first).content }} \
                    {{ (messages | selectattr('role', 'eq', 'document') | first).content }}\
                    {%- if add_generation_prompt %}\n<a>\n{%- endif %}";
    for (flag, expected) in [(true, "q d<a>"), (false, "q d")] {
        let flags = BTreeMap::from([("add_generation_prompt".to_owned(), flag)]);
        let template = read(template, &setting(&flags)).expect("its forms are known");
        let found = template.fill(Filling {
            query: "q",
            document: "d",
            instruction: "",
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn other_forms_are_refused_by_name() {
    let both = "{{ (messages | selectattr('role', 'eq', 'query') | first).content }}\
                {{ (messages | selectattr('role', 'eq', 'document') | first).content }}";
    for (template, expected) in [
        (
            "{% for message in messages %}{{ message.content }}{% endfor %}",
            "for message in messages",
        ),
        ("{{ messages[0].content }}", "messages[0].content"),
        (
            &format!("{both}{{{{ raise_exception('no') }}}}"),
            "raise_exception",
        ),
        (
            &format!("{both}{{% if enable_thinking %}}x{{% endif %}}"),
            "enable_thinking",
        ),
        (
            &format!("{both}{{% if add_generation_prompt %}}x"),
            "without an end",
        ),
        (&format!("{both}{{{{ \"x\" | upper }}}}"), "upper"),
        (&format!("{both}{{{{ 'x' "), "without"),
        (
            "{{ (messages | selectattr('role', 'eq', 'query') | first).content }}",
            "the document",
        ),
        (
            "{{ (messages | selectattr('role', 'eq', 'query') | first).content | trim }}",
            "trim",
        ),
        (
            "{{ messages | selectattr('role', 'eq', 'query') | first }}",
            "a message",
        ),
    ] {
        let error = read(template, &setting(&BTreeMap::new())).expect_err("it is not known");
        assert!(error.contains(expected), "{error}");
    }
}
