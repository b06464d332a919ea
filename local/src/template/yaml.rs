//! YAML as a tree with line numbers. CloudFormation's short tags (`!Ref x`) are
//! converted to their long forms (`Ref: x`), the only ones that other code handles.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::TemplateError;

/// The maximum nesting. It keeps a broken file from exhausting the stack; real
/// templates are far below it.
const DEPTH_MAX: usize = 64;

/// A node of the template with the line that it starts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A scalar; `plain` when it is not quoted, and may be a number or a truth value.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Node,
}

impl Node {
    /// A scalar that was computed rather than written.
    pub(crate) fn text(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            kind: Kind::Scalar {
                text: text.into(),
                plain: false,
            },
        }
    }

    /// The entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The scalar's text.
    pub(crate) fn as_text(&self) -> Result<&str, TemplateError> {
        match &self.kind {
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(TemplateError::at(self.line, "expected a single value here")),
        }
    }

    /// The list's items.
    pub(crate) fn as_list(&self) -> Result<&[Node], TemplateError> {
        match &self.kind {
            Kind::List(items) => Ok(items),
            _ => Err(TemplateError::at(self.line, "expected a list here")),
        }
    }

    /// The map's entries.
    pub(crate) fn as_map(&self) -> Result<&[Entry], TemplateError> {
        match &self.kind {
            Kind::Map(entries) => Ok(entries),
            // `Properties:` with nothing after it.
            Kind::Scalar { text, plain: true } if text.is_empty() => Ok(&[]),
            _ => Err(TemplateError::at(
                self.line,
                "expected names with values here",
            )),
        }
    }

    /// The same as JSON; plain scalars become numbers and truth values.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Scalar { text, plain: false } => Value::String(text.clone()),
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" | "True" => Value::Bool(true),
                "false" | "False" => Value::Bool(false),
                other => match serde_json::from_str::<serde_json::Number>(other) {
                    Ok(number) => Value::Number(number),
                    Err(_) => Value::String(text.clone()),
                },
            },
            Kind::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Reads one YAML document.
pub(crate) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        line: 1,
    };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err(TemplateError::at(reader.line, "the template is empty"));
            }
            event => return reader.node(event, 0),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, TemplateError> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => Err(TemplateError::at(error.marker().line(), error.info())),
            None => Err(TemplateError::at(self.line, "the file ends unexpectedly")),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, TemplateError> {
        let line = self.line;
        if depth > DEPTH_MAX {
            return Err(TemplateError::at(
                line,
                format!("nested deeper than {DEPTH_MAX} levels"),
            ));
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let node = Node {
                    line,
                    kind: Kind::Scalar {
                        text: text.into_owned(),
                        plain,
                    },
                };
                tagged(node, tag.as_deref())
            }
            Event::SequenceStart(_, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                tagged(
                    Node {
                        line,
                        kind: Kind::List(items),
                    },
                    tag.as_deref(),
                )
            }
            Event::MappingStart(_, tag) => {
                let entries = self.entries(depth)?;
                tagged(
                    Node {
                        line,
                        kind: Kind::Map(entries),
                    },
                    tag.as_deref(),
                )
            }
            Event::Alias(_) => Err(TemplateError::at(
                line,
                "YAML aliases are not read; write the value out",
            )),
            _ => Err(TemplateError::at(line, "not valid YAML")),
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, TemplateError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(TemplateError::at(self.line, "a name must be a single word")),
            };
            let line = self.line;
            if entries.iter().any(|entry| entry.key == key) {
                return Err(TemplateError::at(line, format!("{key} is defined twice")));
            }
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            entries.push(Entry { key, line, value });
        }
    }
}

/// Turns `!Sub x` into `Fn::Sub: x`.
fn tagged(node: Node, tag: Option<&Tag>) -> Result<Node, TemplateError> {
    let Some(tag) = tag else { return Ok(node) };
    if tag.handle != "!" {
        return Err(TemplateError::at(
            node.line,
            format!("the tag {tag} is not one of CloudFormation's"),
        ));
    }
    let key = match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        suffix => format!("Fn::{suffix}"),
    };
    let line = node.line;
    Ok(Node {
        line,
        kind: Kind::Map(vec![Entry {
            key,
            line,
            value: node,
        }]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_tag_becomes_its_long_form_and_keeps_its_line() {
        let node = parse("A:\n  B: !GetAtt C.Arn\n  D: !Join [',', [x, !Ref Y]]\n").unwrap();
        let short = node.get("A").unwrap().get("B").unwrap();
        assert_eq!(short.get("Fn::GetAtt").unwrap().as_text().unwrap(), "C.Arn");
        assert_eq!(short.line, 2);
        let join = node
            .get("A")
            .unwrap()
            .get("D")
            .unwrap()
            .get("Fn::Join")
            .unwrap();
        assert_eq!(join.as_list().unwrap().len(), 2);
        assert_eq!(join.line, 3);
    }

    #[test]
    fn a_duplicate_key_is_rejected() {
        let error = parse("A: 1\nB: 2\nA: 3\n").unwrap_err();
        assert_eq!(error.to_string(), "template.yaml:3: A is defined twice");
    }

    #[test]
    fn plain_scalars_have_json_types_and_quoted_ones_are_texts() {
        let node = parse("[1, '1', true, 'true', 2012-10-17, ~]").unwrap();
        assert_eq!(
            node.to_json(),
            serde_json::json!([1, "1", true, "true", "2012-10-17", null])
        );
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let error = parse("A:\n  - b\n c: [\n").unwrap_err();
        assert!(error.to_string().starts_with("template.yaml:"), "{error}");
    }
}
