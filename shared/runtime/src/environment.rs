//! The variables a function is configured with, read once.

use std::{collections::BTreeMap, sync::Arc};

/// What a function knows of its surroundings: in Lambda the process's
/// variables, on a laptop those that the template gives to that one function.
#[derive(Clone, Debug, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

/// A variable that the function cannot do without is not set, or not readable.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Missing(String),
    /// It is set to something else than the function understands.
    #[error("the environment variable {name} is not {expected}")]
    Unreadable {
        /// The variable.
        name: String,
        /// What it should have been, in words.
        expected: &'static str,
    },
}

impl Environment {
    /// The variables of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's variables"
    )]
    pub fn of_process() -> Self {
        std::env::vars().collect()
    }

    /// The variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be there.
    ///
    /// # Errors
    /// [`EnvironmentError::Missing`] with its name.
    pub fn require(&self, name: &str) -> Result<&str, EnvironmentError> {
        self.get(name)
            .ok_or_else(|| EnvironmentError::Missing(name.to_owned()))
    }

    /// The value of a variable, parsed, or `default` when it is not set.
    ///
    /// # Errors
    /// [`EnvironmentError::Unreadable`] when it is set and does not parse.
    pub fn parse_or<T: std::str::FromStr>(
        &self,
        name: &str,
        default: T,
        expected: &'static str,
    ) -> Result<T, EnvironmentError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| EnvironmentError::Unreadable {
                name: name.to_owned(),
                expected,
            }),
        }
    }
}

impl Environment {
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.0.iter();
        variables.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same variables with one more, or with another value of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let one = (name.to_owned(), value.to_owned());
        let kept = self
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        kept.chain([one]).collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }
}
