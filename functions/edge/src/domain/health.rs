//! What is checked, and what the checks come to.

use jiff::Timestamp;
use serde::Serialize;

/// What kind of thing is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A table.
    Table,
    /// A topic.
    Topic,
    /// A queue.
    Queue,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Topic => "topic",
            Self::Queue => "queue",
        }
    }
}

/// One thing that the shop needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its name as people are told it, as in `users table`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// A table's name, a topic's ARN or a queue's URL; never shown.
    pub address: String,
}

/// A list of what is to be checked does not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry} of the list is not name=address")]
pub struct CheckListError {
    entry: usize,
}

/// Reads `users=emporium-UsersTable-1,orders=…`.
///
/// # Errors
/// [`CheckListError`] with the first entry that is not `name=address`,
/// counted from one.
pub fn dependencies(kind: Kind, list: &str) -> Result<Vec<Dependency>, CheckListError> {
    let entries = list.split(',').map(str::trim).enumerate();
    entries
        .map(|(index, entry)| match entry.split_once('=') {
            Some((name, address)) if !name.is_empty() && !address.is_empty() => Ok(Dependency {
                name: format!("{name} {}", kind.as_str()),
                kind,
                address: address.to_owned(),
            }),
            _ => Err(CheckListError { entry: index + 1 }),
        })
        .collect()
}

/// Whether something answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does; the shop as a whole: everything does.
    Healthy,
    /// It does not, or not in time; the shop as a whole: something does not.
    Unhealthy,
}

/// What one check found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Of what.
    pub name: String,
    /// What that is.
    pub kind: Kind,
    /// How it is.
    pub status: Status,
    /// How long the answer, or the lack of one, took.
    pub response_time_ms: u64,
}

/// How the shop is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Of all together.
    pub status: Status,
    /// Who says so.
    pub service: String,
    /// Of which version.
    pub version: &'static str,
    /// When it was found.
    pub timestamp: Timestamp,
    /// Each by itself, in the order of the template.
    pub checks: Vec<Check>,
}

impl Health {
    /// What the checks come to: one fault is the shop's.
    pub fn of(service: &str, timestamp: Timestamp, checks: Vec<Check>) -> Self {
        let healthy = checks.iter().all(|check| check.status == Status::Healthy);
        Self {
            status: if healthy {
                Status::Healthy
            } else {
                Status::Unhealthy
            },
            service: service.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            timestamp,
            checks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_thing_as_people_are_told_it() {
        let topics = dependencies(
            Kind::Topic,
            "users=arn:aws:sns:eu-central-1:1:u, orders=arn:aws:sns:eu-central-1:1:o",
        )
        .unwrap();
        assert_eq!(topics[0].name, "users topic");
        assert_eq!(topics[0].address, "arn:aws:sns:eu-central-1:1:u");
        assert_eq!(topics[1].name, "orders topic");
        assert_eq!(topics[1].address, "arn:aws:sns:eu-central-1:1:o");
    }

    #[test]
    fn a_list_that_does_not_read_says_where() {
        for (list, entry) in [
            ("", 1),
            ("users", 1),
            ("users=", 1),
            ("=x", 1),
            ("users=a,,orders=b", 2),
            ("users=a,", 2),
        ] {
            assert_eq!(
                dependencies(Kind::Table, list),
                Err(CheckListError { entry }),
                "{list}"
            );
        }
    }

    #[test]
    fn one_fault_is_the_shops() {
        let check = |status| Check {
            name: "users table".into(),
            kind: Kind::Table,
            status,
            response_time_ms: 1,
        };
        let of = |statuses: &[Status]| {
            let checks = statuses.iter().copied().map(check).collect();
            Health::of("edge", Timestamp::UNIX_EPOCH, checks).status
        };
        assert_eq!(of(&[Status::Healthy, Status::Healthy]), Status::Healthy);
        assert_eq!(of(&[Status::Healthy, Status::Unhealthy]), Status::Unhealthy);
    }
}
