use jiff::Timestamp;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Table,
    Topic,
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

/// A resource that the shop depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// As shown to people: `users table`.
    pub name: String,
    pub kind: Kind,
    /// A table's name, a topic's ARN or a queue's URL; never shown.
    pub address: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry} of the list is not name=address")]
pub struct CheckListError {
    entry: usize,
}

/// Parses `users=emporium-UsersTable-1,orders=…`.
///
/// # Errors
/// [`CheckListError`] with the position, from 1, of the first entry that is not
/// `name=address`.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Healthy,
    /// It failed, or did not reply in time.
    Unhealthy,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub name: String,
    pub kind: Kind,
    pub status: Status,
    /// Until the reply, the error or the timeout.
    pub response_time_ms: u64,
}

/// The health of the shop.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    pub status: Status,
    /// The service that made the checks.
    pub service: String,
    pub version: &'static str,
    /// When the checks were made.
    pub timestamp: Timestamp,
    /// In the order of the template.
    pub checks: Vec<Check>,
}

impl Health {
    /// Unhealthy if any check is.
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
    fn a_list_has_a_name_and_an_address_for_each_dependency() {
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
    fn the_first_invalid_entry_is_reported() {
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
    fn one_unhealthy_check_makes_the_shop_unhealthy() {
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
