//! The resources of a template that cannot be read as a whole yet: which there
//! are, and the lines of each.

use std::collections::BTreeMap;

/// A resource as it is written.
pub(super) struct Resource {
    pub(super) kind: String,
    /// The number of its first line, from 0.
    pub(super) first: usize,
    /// Its lines, without blank ones and comments behind it.
    pub(super) lines: Vec<String>,
}

impl Resource {
    /// Whether a line of it begins with this property.
    fn has(&self, property: &str) -> bool {
        let property = format!("{property}:");
        self.lines
            .iter()
            .any(|line| line.trim_start().starts_with(&property))
    }
}

/// The resources by logical id.
pub(super) struct Resources(BTreeMap<String, Resource>);

impl Resources {
    pub(super) fn of(template: &str) -> Self {
        let mut found: BTreeMap<String, Resource> = BTreeMap::new();
        let mut current: Option<String> = None;
        let mut within = false;
        for (number, line) in template.lines().enumerate() {
            if line.starts_with(|first: char| first.is_alphabetic()) {
                within = line == "Resources:";
                current = None;
            } else if within
                && let Some(id) = line
                    .strip_prefix("  ")
                    .and_then(|line| line.strip_suffix(':'))
                && id.chars().all(char::is_alphanumeric)
            {
                let resource = Resource {
                    kind: String::new(),
                    first: number,
                    lines: vec![line.to_owned()],
                };
                found.insert(id.to_owned(), resource);
                current = Some(id.to_owned());
            } else if line.starts_with("    ")
                && let Some(resource) = current.as_ref().and_then(|id| found.get_mut(id))
            {
                if let Some(kind) = line.strip_prefix("    Type: ") {
                    resource.kind = kind.to_owned();
                }
                resource.lines.push(line.to_owned());
            }
        }
        Self(found)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Resource> {
        self.0.get(id)
    }

    /// Whether a function is called through an alias.
    pub(super) fn has_alias(&self, function: &str) -> bool {
        self.get(function)
            .is_some_and(|resource| resource.has("AutoPublishAlias"))
    }

    /// The ARN of a function, or of its alias if it has one.
    pub(super) fn function_arn(&self, function: &str) -> String {
        if self.has_alias(function) {
            format!("!Ref {function}.Alias")
        } else {
            format!("!GetAtt {function}.Arn")
        }
    }

    /// What a policy calls the resource of a grant: `OrdersTable/index/by-user`.
    pub(super) fn arn(&self, resource: &str) -> String {
        let (id, rest) = resource.split_once('/').unwrap_or((resource, ""));
        let kind = self.get(id).map(|found| found.kind.as_str());
        match (kind, rest) {
            (Some("AWS::DynamoDB::Table"), "stream") => format!("!GetAtt {id}.StreamArn"),
            (Some("AWS::DynamoDB::Table"), rest) if !rest.is_empty() => {
                format!("!Sub ${{{id}.Arn}}/{rest}")
            }
            (Some("AWS::DynamoDB::Table" | "AWS::SQS::Queue" | "AWS::Logs::LogGroup"), _) => {
                format!("!GetAtt {id}.Arn")
            }
            (Some("AWS::SNS::Topic"), _) => format!("!Ref {id}"),
            (Some("AWS::SecretsManager::Secret"), _) => format!("!GetAtt {id}.Id"),
            (Some("AWS::Serverless::Function"), _) => self.function_arn(id),
            (Some("AWS::SES::ConfigurationSet"), _) => {
                let arn = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}";
                format!("!Sub {arn}:configuration-set/${{{id}}}")
            }
            // It may exist outside the stack.
            (Some("AWS::SES::EmailIdentity"), _) => {
                let arn = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity";
                format!(
                    "!If [OwnsMailIdentity, !Sub '{arn}/${{{id}}}', !Sub '{arn}/${{SesIdentity}}']"
                )
            }
            (Some(kind), _) => panic!("a grant names {id}, and there is no ARN known of a {kind}"),
            (None, _) => panic!("a grant names {id}, which template.yaml does not have"),
        }
    }
}
