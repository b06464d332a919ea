//! From the values of `!Ref` and `!GetAtt` back to the resource.

use super::{TemplateError, model::Statement, names, resolve::Scope, yaml::Node};

/// A resource and the values that refer to it.
struct Handle {
    logical_id: String,
    resource_type: String,
    known_as: Vec<String>,
}

/// All resources, to be found by the values that refer to them.
pub(crate) struct Handles(Vec<Handle>);

/// The attributes that can refer to a resource.
const ATTRIBUTES: &[&str] = &["Arn", "StreamArn", "TopicArn", "Id"];

impl Handles {
    pub(crate) fn of(scope: &Scope<'_>) -> Result<Self, TemplateError> {
        let mut handles = Vec::with_capacity(scope.resources.len());
        for logical_id in scope.resources.keys() {
            let (resource_type, name) = scope.physical(logical_id, 0)?;
            let mut known_as = vec![names::reference(resource_type, &name)];
            known_as.extend(
                ATTRIBUTES
                    .iter()
                    .filter_map(|attribute| names::attribute(resource_type, &name, attribute)),
            );
            known_as.extend(scope.alias_arn(logical_id, 0)?);
            handles.push(Handle {
                logical_id: logical_id.clone(),
                resource_type: resource_type.to_owned(),
                known_as,
            });
        }
        Ok(Self(handles))
    }

    /// The logical id of the resource of this type that `node` refers to.
    pub(crate) fn find(&self, node: &Node, resource_type: &str) -> Result<String, TemplateError> {
        let text = node.as_text()?;
        self.0
            .iter()
            .find(|handle| {
                handle.resource_type == resource_type
                    && handle.known_as.iter().any(|name| name == text)
            })
            .map(|handle| handle.logical_id.clone())
            .ok_or_else(|| {
                TemplateError::at(
                    node.line,
                    format!("{text} is no {resource_type} of this template"),
                )
            })
    }

    /// The resource of an IAM statement: `OrdersTable`,
    /// `OrdersTable/index/by-user`, or the text itself if it is not of this template.
    fn resource(&self, arn: &str) -> String {
        for handle in &self.0 {
            for name in &handle.known_as {
                match arn.strip_prefix(name.as_str()) {
                    Some("") => return handle.logical_id.clone(),
                    Some(rest) if rest.starts_with("/index/") || rest.starts_with("/stream/") => {
                        return format!("{}{rest}", handle.logical_id);
                    }
                    _ => {}
                }
            }
        }
        arn.to_owned()
    }

    /// The statements of a policy document, one for each action and resource.
    pub(crate) fn statements(&self, document: &Node) -> Result<Vec<Statement>, TemplateError> {
        let Some(statements) = document.get("Statement") else {
            return Err(TemplateError::at(
                document.line,
                "a policy document needs Statement",
            ));
        };
        let mut pairs = Vec::new();
        for statement in one_or_more(statements) {
            statement.as_map()?;
            let part = |name: &str| {
                statement.get(name).ok_or_else(|| {
                    TemplateError::at(statement.line, format!("a statement here needs {name}"))
                })
            };
            if part("Effect")?.as_text()? != "Allow" {
                return Err(TemplateError::at(
                    statement.line,
                    "only Allow statements are read here",
                ));
            }
            let resources = one_or_more(part("Resource")?);
            for action in one_or_more(part("Action")?) {
                for resource in resources {
                    pairs.push(Statement {
                        action: action.as_text()?.to_owned(),
                        resource: self.resource(resource.as_text()?),
                    });
                }
            }
        }
        Ok(pairs)
    }
}

/// The items of a list, or a single value in place of a list.
fn one_or_more(node: &Node) -> &[Node] {
    match node.as_list() {
        Ok(items) => items,
        Err(_) => std::slice::from_ref(node),
    }
}
