//! `template.yaml`, read into types. It is the only source of routes, queues and
//! functions, and anything in it that is not supported here prevents the start,
//! with its line.

mod accepted;
mod api;
mod cors;
mod events;
mod fields;
mod functions;
mod handles;
mod model;
pub(crate) mod names;
mod parameters;
mod pattern;
mod resolve;
mod stores;
mod yaml;

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use runtime::Environment;

pub use accepted::{ACCEPTED, Accepted};
pub use model::{
    Api, Cors, Event, Function, Queue, QueueEvent, Role, Route, ScheduleEvent, Secret, SecretValue,
    Statement, StreamEvent, Subscription, Table, Topic,
};
pub(crate) use parameters::upper_snake;
pub use pattern::Pattern;

use fields::Fields;
use handles::Handles;
use resolve::Scope;
use stores::Resource;
use yaml::Node;

/// The name of the stack on a laptop.
pub const STACK_NAME: &str = "emporium";

/// The transform that the template must declare.
const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// Why a template cannot run here: `template.yaml:12: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct TemplateError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl TemplateError {
    pub(crate) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self {
            file: "template.yaml".to_owned(),
            line,
            reason: reason.into(),
        }
    }
}

/// A template, resolved with its parameters.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// Its functions.
    pub functions: Vec<Function>,
    /// Its API, if it has one.
    pub api: Option<Api>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Its queues.
    pub queues: Vec<Queue>,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// Its subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Its secrets.
    pub secrets: Vec<Secret>,
    /// Its roles; permissions are not enforced here.
    pub roles: Vec<Role>,
    /// The code names of functions whose condition does not hold.
    pub switched_off: Vec<String>,
    /// The logical ids of what is accepted without effect, and why.
    pub accepted: BTreeMap<String, &'static str>,
    /// The routes of the API's definition until their functions have been read.
    routes: Vec<(String, Route)>,
}

impl Template {
    /// Reads a template from a file.
    ///
    /// # Errors
    /// If the file cannot be read, or contains something that is not supported.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, TemplateError> {
        let named = |error: TemplateError| TemplateError {
            file: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            ..error
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            named(TemplateError::at(
                1,
                format!("cannot read {}: {error}", path.display()),
            ))
        })?;
        Self::parse(&text, environment).map_err(named)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// If it contains something that is not supported.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, TemplateError> {
        let root = yaml::parse(text)?;
        let mut top = Fields::of(&root, "template")?;
        top.only("Transform", TRANSFORM)?;
        let parameters = parameters::read(top.take("Parameters"), environment)?;
        let conditions = top.take("Conditions");
        let mappings = top.take("Mappings");
        let globals = top.take("Globals");
        let listed = top.require("Resources")?.as_map()?;
        top.finish()?;

        let mut resources = BTreeMap::new();
        for entry in listed {
            let resource_type = entry.value.get("Type").ok_or_else(|| {
                TemplateError::at(entry.line, format!("{} has no Type", entry.key))
            })?;
            let properties = entry.value.get("Properties");
            resources.insert(
                entry.key.clone(),
                (resource_type.as_text()?.to_owned(), properties),
            );
        }
        let scope = Scope {
            stack: STACK_NAME.to_owned(),
            parameters,
            conditions,
            mappings,
            resources,
            open: RefCell::default(),
        };
        let globals = Globals::read(globals, &scope)?;
        let handles = Handles::of(&scope)?;
        let mut template = Self::default();
        // Roles first, because functions take their statements from them.
        for roles_now in [true, false] {
            for entry in listed {
                let is_role = scope
                    .resources
                    .get(&entry.key)
                    .is_some_and(|(kind, _)| kind == "AWS::IAM::Role");
                if is_role == roles_now {
                    template.add(
                        &entry.key,
                        entry.line,
                        &entry.value,
                        &scope,
                        &globals,
                        &handles,
                    )?;
                }
            }
        }
        template.check()?;
        Ok(template)
    }

    fn add(
        &mut self,
        logical_id: &str,
        line: usize,
        node: &Node,
        scope: &Scope<'_>,
        globals: &Globals,
        handles: &Handles,
    ) -> Result<(), TemplateError> {
        let mut outer = Fields::of(node, "resource")?;
        let resource_type = outer.require_text("Type")?;
        let properties = outer.take("Properties");
        let condition = outer.text("Condition")?;
        outer.finish()?;
        if let Some(condition) = condition
            && !scope.condition(&condition, line)?
        {
            let code = properties.and_then(|properties| properties.get("CodeUri"));
            if let Some(code) = code.filter(|_| resource_type == "AWS::Serverless::Function") {
                self.switched_off.push(functions::code_name(code)?);
            }
            return Ok(());
        }
        let without_effect = accepted::resource(&resource_type);
        if let Some(row) = without_effect {
            self.accepted.insert(logical_id.to_owned(), row.because);
            if resource_type != "AWS::IAM::Role" {
                return Ok(());
            }
        }
        let none = Node {
            line,
            kind: yaml::Kind::Map(Vec::new()),
        };
        let properties = scope.resolve(properties.unwrap_or(&none))?.unwrap_or(none);
        if let Some(row) = accepted::subscription(&resource_type, &properties) {
            self.accepted.insert(logical_id.to_owned(), row.because);
            return Ok(());
        }
        let properties = match resource_type.as_str() {
            "AWS::Serverless::Function" => {
                functions::with_globals(&properties, globals.function.as_ref())?
            }
            "AWS::Serverless::HttpApi" => {
                functions::with_globals(&properties, globals.http_api.as_ref())?
            }
            _ => properties,
        };
        let (_, name) = scope.physical(logical_id, line)?;
        let resource = Resource {
            logical_id,
            resource_type: &resource_type,
            name,
            line,
            properties: &properties,
            handles,
        };
        match resource_type.as_str() {
            "AWS::Serverless::Function" => self
                .functions
                .push(functions::function(&resource, &self.roles)?),
            "AWS::Serverless::HttpApi" if self.api.is_some() => {
                return Err(TemplateError::at(
                    line,
                    "a second HttpApi is not supported here",
                ));
            }
            "AWS::Serverless::HttpApi" => {
                let (api, routes) = api::api(&resource)?;
                self.api = Some(api);
                self.routes = routes;
            }
            "AWS::DynamoDB::Table" => self.tables.push(stores::table(&resource)?),
            "AWS::SQS::Queue" => self.queues.push(stores::queue(&resource)?),
            "AWS::SNS::Topic" => self.topics.push(stores::topic(&resource)?),
            "AWS::SNS::Subscription" => self.subscriptions.push(stores::subscription(&resource)?),
            "AWS::SecretsManager::Secret" => self.secrets.push(stores::secret(&resource)?),
            "AWS::IAM::Role" => self.roles.push(functions::role(&resource)?),
            other => {
                return Err(TemplateError::at(
                    line,
                    format!("resources of type {other} are not supported here"),
                ));
            }
        }
        Ok(())
    }

    /// What CloudFormation or the service would reject during deployment.
    fn check(&mut self) -> Result<(), TemplateError> {
        for (function, route) in std::mem::take(&mut self.routes) {
            let function = self
                .functions
                .iter_mut()
                .find(|one| one.logical_id == function);
            let function = function.ok_or_else(|| {
                let reason = format!("the function of {} is not deployed", route.key());
                TemplateError::at(route.line, reason)
            })?;
            function.events.push(Event::Http(route));
        }
        let api = self.api.as_ref();
        let mut keys: Vec<String> = Vec::new();
        for function in &mut self.functions {
            for event in &mut function.events {
                match event {
                    Event::Http(route) => {
                        route.authorizer = match route.authorizer.take() {
                            None => api.and_then(|api| api.default_authorizer.clone()),
                            Some(name) if name == "NONE" => None,
                            Some(name)
                                if api.is_some_and(|api| api.authorizers.contains_key(&name)) =>
                            {
                                Some(name)
                            }
                            Some(name) => {
                                return Err(TemplateError::at(
                                    route.line,
                                    format!("there is no authorizer {name}"),
                                ));
                            }
                        };
                        let key = route.key();
                        if keys.contains(&key) {
                            return Err(TemplateError::at(
                                route.line,
                                format!("the route {key} exists twice"),
                            ));
                        }
                        keys.push(key);
                    }
                    Event::Queue(event) => {
                        let queue = self
                            .queues
                            .iter()
                            .find(|queue| queue.logical_id == event.queue);
                        if queue.is_some_and(|queue| queue.visibility < function.timeout) {
                            let reason = "Lambda refuses a queue whose VisibilityTimeout is shorter than the function's Timeout";
                            return Err(TemplateError::at(event.line, reason));
                        }
                    }
                    Event::Stream(event) => {
                        let table = self
                            .tables
                            .iter()
                            .find(|table| table.logical_id == event.table);
                        if table.is_some_and(|table| !table.streams) {
                            let reason = format!("{} has no StreamSpecification", event.table);
                            return Err(TemplateError::at(event.line, reason));
                        }
                    }
                    Event::Schedule(_) => {}
                }
            }
        }
        for (index, one) in self.subscriptions.iter().enumerate() {
            let differs = |other: &&Subscription| {
                other.queue == one.queue && other.dead_letter_queue != one.dead_letter_queue
            };
            if self.subscriptions[..index]
                .iter()
                .any(|other| differs(&other))
            {
                let reason = "the subscriptions of one queue must share their RedrivePolicy here";
                return Err(TemplateError::at(one.line, reason));
            }
        }
        Ok(())
    }

    /// The function with this code name.
    pub fn function(&self, code_name: &str) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| function.code_name == code_name)
    }
}

/// The properties in `Globals`.
struct Globals {
    function: Option<Node>,
    http_api: Option<Node>,
}

impl Globals {
    fn read(node: Option<&Node>, scope: &Scope<'_>) -> Result<Self, TemplateError> {
        let Some(node) = node else {
            return Ok(Self {
                function: None,
                http_api: None,
            });
        };
        let mut fields = Fields::of(node, "Globals")?;
        let mut section = |name| {
            fields
                .take(name)
                .map(|node| scope.resolve(node))
                .transpose()
        };
        let globals = Self {
            function: section("Function")?.flatten(),
            http_api: section("HttpApi")?.flatten(),
        };
        fields.finish()?;
        Ok(globals)
    }
}

#[cfg(test)]
mod tests;
