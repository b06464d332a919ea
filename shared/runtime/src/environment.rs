//! What a function is started with: its configuration and its host.

use std::{collections::BTreeMap, sync::Arc};

use crate::Host;

/// A function's variables (in Lambda the process's, on a laptop those that the
/// template gives to that one function), and the host that it runs on.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
    host: Host,
}

/// A variable that the function cannot do without is not set, or not readable.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Missing(String),
    /// It is set, but not to what the function expects.
    #[error("the environment variable {name} is not {expected}")]
    Unreadable {
        /// The variable.
        name: String,
        /// What it should have been, in words.
        expected: &'static str,
    },
}

impl Environment {
    /// The variables of this process, on the real machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process's variables"
    )]
    pub fn from_process() -> Self {
        std::env::vars().collect()
    }

    /// The variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
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
        let variables = self.variables.iter();
        variables.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same with one more variable, or with another value of it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = BTreeMap::clone(&self.variables);
        variables.insert(name.to_owned(), value.to_owned());
        Self {
            variables: Arc::new(variables),
            host: self.host.clone(),
        }
    }

    /// The time, ids and random bytes.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The same on another host.
    #[must_use]
    pub fn on(&self, host: Host) -> Self {
        Self {
            host,
            ..self.clone()
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: Arc::new(variables.collect()),
            host: Host::system(),
        }
    }
}
