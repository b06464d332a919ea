//! Reading the properties of a resource without overlooking any.

use super::{
    TemplateError, accepted,
    yaml::{Entry, Node},
};

/// The properties of something. Each is taken by name; [`Fields::finish`] rejects
/// any that was neither taken nor is in the table of accepted ones.
pub(crate) struct Fields<'a> {
    owner: String,
    line: usize,
    entries: &'a [Entry],
    taken: Vec<bool>,
}

impl<'a> Fields<'a> {
    /// The properties in `node`; `owner` names them in errors and in the table.
    pub(crate) fn of(node: &'a Node, owner: impl Into<String>) -> Result<Self, TemplateError> {
        let entries = node.as_map()?;
        Ok(Self {
            owner: owner.into(),
            line: node.line,
            entries,
            taken: vec![false; entries.len()],
        })
    }

    /// The line that they start on.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// An optional property.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Node> {
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        self.taken[index] = true;
        Some(&self.entries[index].value)
    }

    /// A required property.
    pub(crate) fn require(&mut self, name: &str) -> Result<&'a Node, TemplateError> {
        let (line, owner) = (self.line, self.owner.clone());
        self.take(name)
            .ok_or_else(|| TemplateError::at(line, format!("{owner} needs {name}")))
    }

    /// A required property that is a text.
    pub(crate) fn require_text(&mut self, name: &str) -> Result<String, TemplateError> {
        Ok(self.require(name)?.as_text()?.to_owned())
    }

    /// An optional property that is a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, TemplateError> {
        self.take(name)
            .map(|node| node.as_text().map(str::to_owned))
            .transpose()
    }

    /// An optional property that is a number.
    pub(crate) fn number<N: std::str::FromStr>(
        &mut self,
        name: &str,
    ) -> Result<Option<N>, TemplateError> {
        let Some(node) = self.take(name) else {
            return Ok(None);
        };
        let text = node.as_text()?;
        let number = text.parse().map_err(|_| {
            TemplateError::at(node.line, format!("{name} is {text}, not a valid number"))
        })?;
        Ok(Some(number))
    }

    /// A property that is either true or false; false if it is absent.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, TemplateError> {
        let Some(node) = self.take(name) else {
            return Ok(false);
        };
        match node.as_text()? {
            "true" | "True" => Ok(true),
            "false" | "False" => Ok(false),
            other => Err(TemplateError::at(
                node.line,
                format!("{name} is {other}, not true or false"),
            )),
        }
    }

    /// An optional list of texts; a single text counts as a list of one.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, TemplateError> {
        let Some(node) = self.take(name) else {
            return Ok(Vec::new());
        };
        match node.as_text() {
            Ok(text) => Ok(vec![text.to_owned()]),
            Err(_) => node
                .as_list()?
                .iter()
                .map(|item| item.as_text().map(str::to_owned))
                .collect(),
        }
    }

    /// A property that must have this value here, if it is present.
    pub(crate) fn only(&mut self, name: &str, value: &str) -> Result<(), TemplateError> {
        match self.take(name) {
            Some(node) if node.as_text()? != value => Err(TemplateError::at(
                node.line,
                format!("{name} can only be {value} here, not {}", node.as_text()?),
            )),
            _ => Ok(()),
        }
    }

    /// Rejects what is left over.
    pub(crate) fn finish(self) -> Result<(), TemplateError> {
        for (entry, taken) in self.entries.iter().zip(&self.taken) {
            if !taken && accepted::property(&self.owner, &entry.key).is_none() {
                return Err(TemplateError::at(
                    entry.line,
                    format!(
                        "{} of {} is not supported by the development server",
                        entry.key, self.owner
                    ),
                ));
            }
        }
        Ok(())
    }
}
