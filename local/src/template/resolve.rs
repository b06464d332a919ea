//! Evaluates intrinsic functions.

use std::{cell::RefCell, collections::BTreeMap};

use super::{
    TemplateError, names,
    parameters::Parameter,
    yaml::{Entry, Kind, Node},
};

/// The context in which intrinsic functions are evaluated.
pub(crate) struct Scope<'a> {
    pub(crate) stack: String,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) conditions: Option<&'a Node>,
    pub(crate) mappings: Option<&'a Node>,
    /// Logical id to type and unresolved properties.
    pub(crate) resources: BTreeMap<String, (String, Option<&'a Node>)>,
    /// Names that are being evaluated, to detect cycles.
    pub(crate) open: RefCell<Vec<String>>,
}

impl Scope<'_> {
    /// The evaluated node; nothing if it is `AWS::NoValue`.
    pub(crate) fn resolve(&self, node: &Node) -> Result<Option<Node>, TemplateError> {
        match &node.kind {
            Kind::Scalar { text, .. } if text.contains("{{resolve:") => Err(TemplateError::at(
                node.line,
                "dynamic references ({{resolve:…}}) are not supported here",
            )),
            Kind::Scalar { .. } => Ok(Some(node.clone())),
            Kind::List(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.extend(self.resolve(item)?);
                }
                Ok(Some(Node {
                    line: node.line,
                    kind: Kind::List(resolved),
                }))
            }
            Kind::Map(entries) => {
                if let [only] = entries.as_slice()
                    && (only.key == "Ref" || only.key.starts_with("Fn::"))
                {
                    return self.intrinsic(&only.key, &only.value);
                }
                let mut resolved = Vec::with_capacity(entries.len());
                for Entry { key, line, value } in entries {
                    if let Some(value) = self.resolve(value)? {
                        resolved.push(Entry {
                            key: key.clone(),
                            line: *line,
                            value,
                        });
                    }
                }
                Ok(Some(Node {
                    line: node.line,
                    kind: Kind::Map(resolved),
                }))
            }
        }
    }

    /// The evaluated node, which must have a value.
    fn value(&self, node: &Node) -> Result<Node, TemplateError> {
        self.resolve(node)?
            .ok_or_else(|| TemplateError::at(node.line, "AWS::NoValue is not allowed here"))
    }

    fn text(&self, node: &Node) -> Result<String, TemplateError> {
        Ok(self.value(node)?.as_text()?.to_owned())
    }

    fn intrinsic(&self, name: &str, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let line = argument.line;
        let text = |text: String| Ok(Some(Node::text(line, text)));
        match name {
            "Ref" => self.reference(argument.as_text()?, line),
            "Fn::GetAtt" => text(self.attribute(argument)?),
            "Fn::Sub" => text(self.substitute(argument)?),
            "Fn::Join" => {
                let (separator, items) = self.pair(argument, "Fn::Join")?;
                let items = self.value(items)?;
                let parts: Result<Vec<&str>, _> =
                    items.as_list()?.iter().map(Node::as_text).collect();
                text(parts?.join(separator.as_text()?))
            }
            "Fn::Split" => {
                let (separator, whole) = self.pair(argument, "Fn::Split")?;
                let whole = self.text(whole)?;
                let parts = whole
                    .split(separator.as_text()?)
                    .map(|part| Node::text(line, part));
                Ok(Some(Node {
                    line,
                    kind: Kind::List(parts.collect()),
                }))
            }
            "Fn::Select" => {
                let (index, items) = self.pair(argument, "Fn::Select")?;
                let items = self.value(items)?;
                let index: Option<usize> = self.text(index)?.parse().ok();
                let item = index.and_then(|index| items.as_list().ok()?.get(index).cloned());
                item.map(Some).ok_or_else(|| {
                    TemplateError::at(line, "Fn::Select asks for an item that does not exist")
                })
            }
            "Fn::If" => match argument.as_list()? {
                [condition, yes, no] => {
                    self.resolve(if self.condition(condition.as_text()?, line)? {
                        yes
                    } else {
                        no
                    })
                }
                _ => Err(TemplateError::at(
                    line,
                    "Fn::If takes a condition and two values",
                )),
            },
            "Fn::FindInMap" => match argument.as_list()? {
                [map, first, second] => {
                    let keys = [self.text(map)?, self.text(first)?, self.text(second)?];
                    let mut found = self.mappings;
                    for key in &keys {
                        found = found.and_then(|node| node.get(key));
                    }
                    let missing =
                        || TemplateError::at(line, format!("no mapping {}", keys.join(".")));
                    found.cloned().map(Some).ok_or_else(missing)
                }
                _ => Err(TemplateError::at(line, "Fn::FindInMap takes three names")),
            },
            other => Err(TemplateError::at(
                line,
                format!("{other} is not supported here"),
            )),
        }
    }

    fn pair<'n>(
        &self,
        argument: &'n Node,
        name: &str,
    ) -> Result<(&'n Node, &'n Node), TemplateError> {
        match argument.as_list()? {
            [first, second] => Ok((first, second)),
            _ => Err(TemplateError::at(
                argument.line,
                format!("{name} takes two values"),
            )),
        }
    }

    fn reference(&self, name: &str, line: usize) -> Result<Option<Node>, TemplateError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(Parameter::List(items)) = self.parameters.get(name) {
            let items = items.iter().map(|item| Node::text(line, item)).collect();
            return Ok(Some(Node {
                line,
                kind: Kind::List(items),
            }));
        }
        // Unquoted, so that a number stays a number where it becomes JSON.
        let text = self.lookup(name, line)?;
        Ok(Some(Node {
            line,
            kind: Kind::Scalar {
                text,
                plain: self.parameters.contains_key(name),
            },
        }))
    }

    /// The value of `${name}`.
    fn lookup(&self, name: &str, line: usize) -> Result<String, TemplateError> {
        match self.parameters.get(name) {
            Some(Parameter::Text(text)) => return Ok(text.clone()),
            Some(Parameter::List(items)) => return Ok(items.join(",")),
            None => {}
        }
        Ok(match name {
            "AWS::StackName" => self.stack.clone(),
            "AWS::Region" => names::REGION.to_owned(),
            "AWS::AccountId" => names::ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => {
                format!(
                    "arn:aws:cloudformation:{}:{}:stack/{}/local",
                    names::REGION,
                    names::ACCOUNT,
                    self.stack
                )
            }
            _ => {
                if let Some(function) = name.strip_suffix(".Alias") {
                    return self.alias_arn(function, line)?.ok_or_else(|| {
                        TemplateError::at(line, format!("{function} has no AutoPublishAlias"))
                    });
                }
                let (resource_type, physical) = self.physical(name, line)?;
                names::reference(resource_type, &physical)
            }
        })
    }

    /// What SAM makes of `!Ref PlaceOrderFunction.Alias`; nothing if the function
    /// publishes no alias.
    pub(crate) fn alias_arn(
        &self,
        logical: &str,
        line: usize,
    ) -> Result<Option<String>, TemplateError> {
        let (resource_type, name) = self.physical(logical, line)?;
        let properties = self.resources.get(logical).and_then(|(_, node)| *node);
        match properties.and_then(|properties| properties.get("AutoPublishAlias")) {
            Some(alias) if resource_type == "AWS::Serverless::Function" => {
                Ok(Some(names::alias_arn(&name, &self.text(alias)?)))
            }
            _ => Ok(None),
        }
    }

    fn attribute(&self, argument: &Node) -> Result<String, TemplateError> {
        let line = argument.line;
        let path = match &argument.kind {
            Kind::List(parts) => {
                let parts: Result<Vec<String>, _> =
                    parts.iter().map(|part| self.text(part)).collect();
                parts?.join(".")
            }
            _ => argument.as_text()?.to_owned(),
        };
        self.attribute_at(&path, line)
    }

    fn attribute_at(&self, path: &str, line: usize) -> Result<String, TemplateError> {
        let (logical, attribute) = path
            .split_once('.')
            .ok_or_else(|| TemplateError::at(line, format!("{path} has no attribute")))?;
        let (resource_type, physical) = self.physical(logical, line)?;
        names::attribute(resource_type, &physical, attribute).ok_or_else(|| {
            TemplateError::at(
                line,
                format!("the attribute {attribute} of a {resource_type} is not known here"),
            )
        })
    }

    /// A resource's type and physical name.
    pub(crate) fn physical(
        &self,
        logical: &str,
        line: usize,
    ) -> Result<(&str, String), TemplateError> {
        let (resource_type, properties) = self.resources.get(logical).ok_or_else(|| {
            TemplateError::at(line, format!("there is no parameter or resource {logical}"))
        })?;
        let named = names::name_property(resource_type).and_then(|property| {
            properties
                .as_ref()
                .and_then(|properties| properties.get(property))
        });
        let Some(named) = named else {
            return Ok((resource_type, format!("{}-{logical}", self.stack)));
        };
        if self.open.borrow().iter().any(|open| open == logical) {
            return Err(TemplateError::at(
                line,
                format!("the name of {logical} depends on itself"),
            ));
        }
        self.open.borrow_mut().push(logical.to_owned());
        let name = self.text(named);
        self.open.borrow_mut().pop();
        Ok((resource_type, name?))
    }

    fn substitute(&self, argument: &Node) -> Result<String, TemplateError> {
        let (pattern, own) = match &argument.kind {
            Kind::List(parts) => match parts.as_slice() {
                [pattern, own] => (pattern.as_text()?, Some(own)),
                _ => {
                    return Err(TemplateError::at(
                        argument.line,
                        "Fn::Sub takes a text and its variables",
                    ));
                }
            },
            _ => (argument.as_text()?, None),
        };
        let mut result = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after
                .find('}')
                .ok_or_else(|| TemplateError::at(argument.line, "a ${ in Fn::Sub is not closed"))?;
            let name = after[..end].trim();
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = own.and_then(|own| own.get(name)) {
                result.push_str(&self.text(value)?);
            } else if name.contains('.') && !name.ends_with(".Alias") {
                result.push_str(&self.attribute_at(name, argument.line)?);
            } else {
                result.push_str(&self.lookup(name, argument.line)?);
            }
            rest = &after[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Whether a named condition holds.
    pub(crate) fn condition(&self, name: &str, line: usize) -> Result<bool, TemplateError> {
        let node = self
            .conditions
            .and_then(|conditions| conditions.get(name))
            .ok_or_else(|| TemplateError::at(line, format!("there is no condition {name}")))?;
        let mark = format!("Condition {name}");
        if self.open.borrow().contains(&mark) {
            return Err(TemplateError::at(
                line,
                format!("the condition {name} depends on itself"),
            ));
        }
        self.open.borrow_mut().push(mark);
        let holds = self.holds(node);
        self.open.borrow_mut().pop();
        holds
    }

    fn holds(&self, node: &Node) -> Result<bool, TemplateError> {
        let [only] = node.as_map()? else {
            return Err(TemplateError::at(node.line, "a condition is one function"));
        };
        let argument = &only.value;
        match only.key.as_str() {
            "Condition" => self.condition(argument.as_text()?, argument.line),
            "Fn::Equals" => {
                let (first, second) = self.pair(argument, "Fn::Equals")?;
                Ok(self.text(first)? == self.text(second)?)
            }
            "Fn::Not" => match argument.as_list()? {
                [inner] => Ok(!self.holds(inner)?),
                _ => Err(TemplateError::at(
                    argument.line,
                    "Fn::Not takes one condition",
                )),
            },
            "Fn::And" => argument
                .as_list()?
                .iter()
                .try_fold(true, |all, inner| Ok(all & self.holds(inner)?)),
            "Fn::Or" => argument
                .as_list()?
                .iter()
                .try_fold(false, |any, inner| Ok(any | self.holds(inner)?)),
            other => Err(TemplateError::at(
                node.line,
                format!("{other} is not a condition"),
            )),
        }
    }
}
