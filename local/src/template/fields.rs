//! Reading the properties of a resource so that none is overlooked.

use super::{
    TemplateError, accepted,
    yaml::{Entry, Node},
};

/// The properties of one thing. Each is taken by name; [`Fields::finish`]
/// refuses what nobody took and the table of accepted ones does not have.
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

    /// A property that may be there.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Node> {
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        self.taken[index] = true;
        Some(&self.entries[index].value)
    }

    /// A property that must be there.
    pub(crate) fn require(&mut self, name: &str) -> Result<&'a Node, TemplateError> {
        let (line, owner) = (self.line, self.owner.clone());
        self.take(name)
            .ok_or_else(|| TemplateError::at(line, format!("{owner} needs {name}")))
    }

    /// A property that must be a text.
    pub(crate) fn require_text(&mut self, name: &str) -> Result<String, TemplateError> {
        Ok(self.require(name)?.as_text()?.to_owned())
    }

    /// A property that may be a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, TemplateError> {
        self.take(name)
            .map(|node| node.as_text().map(str::to_owned))
            .transpose()
    }

    /// A property that may be a number.
    pub(crate) fn number<N: std::str::FromStr>(
        &mut self,
        name: &str,
    ) -> Result<Option<N>, TemplateError> {
        let Some(node) = self.take(name) else {
            return Ok(None);
        };
        let text = node.as_text()?;
        let number = text.parse().map_err(|_| {
            TemplateError::at(
                node.line,
                format!("{name} is {text}, which is not a fitting number"),
            )
        })?;
        Ok(Some(number))
    }

    /// A property that is either true or false; false when it is absent.
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

    /// A property that may be a list of texts; one text counts as a list of one.
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

    /// A property that may only have one value here.
    pub(crate) fn only(&mut self, name: &str, value: &str) -> Result<(), TemplateError> {
        match self.take(name) {
            Some(node) if node.as_text()? != value => Err(TemplateError::at(
                node.line,
                format!("{name} can only be {value} here, not {}", node.as_text()?),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<(), TemplateError> {
        for (entry, taken) in self.entries.iter().zip(&self.taken) {
            if !taken && accepted::property(&self.owner, &entry.key).is_none() {
                return Err(TemplateError::at(
                    entry.line,
                    format!(
                        "{} of {} is not something this shop can honour",
                        entry.key, self.owner
                    ),
                ));
            }
        }
        Ok(())
    }
}
