//! The HTTP API.

use std::collections::BTreeMap;

use super::{
    Api, Cors, Route, TemplateError, cors::cors, cors::cors_extension, fields::Fields,
    stores::Resource, yaml::Node,
};

/// The methods of a path in an OpenAPI document that API Gateway knows.
const METHODS: [&str; 8] = [
    "get", "put", "post", "patch", "delete", "head", "options", ANY_METHOD,
];
const ANY_METHOD: &str = "x-amazon-apigateway-any-method";
/// The path that stands for API Gateway's `$default` route.
const DEFAULT_PATH: &str = "/$default";

/// The API, and its routes each with the logical id of its function.
pub(crate) fn api(resource: &Resource<'_>) -> Result<(Api, Vec<(String, Route)>), TemplateError> {
    let mut fields = resource.fields()?;
    fields.only("StageName", "$default")?;
    let mut authorizers = BTreeMap::new();
    let mut default_authorizer = None;
    if let Some(auth) = fields.take("Auth") {
        let mut inner = Fields::of(auth, "Auth")?;
        default_authorizer = inner.text("DefaultAuthorizer")?;
        for entry in inner
            .take("Authorizers")
            .map(Node::as_map)
            .transpose()?
            .unwrap_or_default()
        {
            authorizers.insert(entry.key.clone(), authorizer(&entry.value, resource)?);
        }
        inner.finish()?;
        if let Some(name) = &default_authorizer
            && !authorizers.contains_key(name)
        {
            return Err(TemplateError::at(
                auth.line,
                format!("there is no authorizer {name}"),
            ));
        }
    }
    let mut cors = fields.take("CorsConfiguration").map(cors).transpose()?;
    let mut routes = Vec::new();
    if let Some(node) = fields.take("DefinitionBody") {
        let defined = definition(node, resource)?;
        authorizers.extend(defined.authorizers);
        cors = defined.cors.or(cors);
        routes = defined.routes;
    }
    fields.finish()?;
    let api = Api {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        cors,
        authorizers,
        default_authorizer,
    };
    Ok((api, routes))
}

/// What an OpenAPI document says.
struct Definition {
    /// The authorizers, each with the logical id of its function.
    authorizers: BTreeMap<String, String>,
    cors: Option<Cors>,
    routes: Vec<(String, Route)>,
}

fn definition(node: &Node, resource: &Resource<'_>) -> Result<Definition, TemplateError> {
    let mut fields = Fields::of(node, "DefinitionBody")?;
    fields.only("openapi", "3.0.1")?;
    let mut authorizers = BTreeMap::new();
    if let Some(components) = fields.take("components") {
        let mut inner = Fields::of(components, "components")?;
        for scheme in inner.require("securitySchemes")?.as_map()? {
            let function = security_scheme(&scheme.value, resource)?;
            authorizers.insert(scheme.key.clone(), function);
        }
        inner.finish()?;
    }
    let mut routes = Vec::new();
    for path in fields.require("paths")?.as_map()? {
        for operation in path.value.as_map()? {
            if !METHODS.contains(&operation.key.as_str()) {
                let reason = format!("{} is not a method of a path", operation.key);
                return Err(TemplateError::at(operation.line, reason));
            }
            let is_default = path.key == DEFAULT_PATH;
            let is_any = is_default || operation.key == ANY_METHOD;
            let route = Route {
                line: operation.line,
                method: (!is_any).then(|| operation.key.to_ascii_uppercase()),
                path: path
                    .key
                    .trim_start_matches(if is_default { "/" } else { "" })
                    .to_owned(),
                authorizer: None,
            };
            routes.push(operation_of(&operation.value, route, resource)?);
        }
    }
    let cors = fields.take("x-amazon-apigateway-cors").map(cors_extension);
    let cors = cors.transpose()?;
    fields.finish()?;
    Ok(Definition {
        authorizers,
        cors,
        routes,
    })
}

/// The logical id of the function of an OpenAPI document's authorizer.
fn security_scheme(node: &Node, resource: &Resource<'_>) -> Result<String, TemplateError> {
    let mut fields = Fields::of(node, "security scheme")?;
    fields.only("type", "apiKey")?;
    fields.only("in", "header")?;
    fields.require_text("name")?;
    let authorizer = fields.require("x-amazon-apigateway-authorizer")?;
    fields.finish()?;
    let mut fields = Fields::of(authorizer, "x-amazon-apigateway-authorizer")?;
    fields.only("type", "request")?;
    fields.only("authorizerPayloadFormatVersion", "2.0")?;
    fields.only("authorizerResultTtlInSeconds", "0")?;
    fields.only("enableSimpleResponses", "true")?;
    let function = invoked(fields.require("authorizerUri")?, resource)?;
    fields.finish()?;
    Ok(function)
}

/// The logical id of the function that a URI invokes.
fn invoked(uri: &Node, resource: &Resource<'_>) -> Result<String, TemplateError> {
    let arn = uri
        .as_text()?
        .split_once(":lambda:path/2015-03-31/functions/")
        .and_then(|(_, rest)| rest.strip_suffix("/invocations"))
        .ok_or_else(|| TemplateError::at(uri.line, "uri does not invoke a Lambda function"))?;
    resource
        .handles
        .find(&Node::text(uri.line, arn), "AWS::Serverless::Function")
}

/// The function of an operation, and its route with the authorizer it asks for.
fn operation_of(
    node: &Node,
    route: Route,
    resource: &Resource<'_>,
) -> Result<(String, Route), TemplateError> {
    let mut fields = Fields::of(node, "operation")?;
    let is_default = route.path == "$default";
    if fields.flag("isDefaultRoute")? != is_default {
        let reason = format!("isDefaultRoute belongs to {DEFAULT_PATH} and nothing else");
        return Err(TemplateError::at(node.line, reason));
    }
    let mut authorizer = None;
    if let Some(security) = fields.take("security") {
        let [scheme] = security.as_list()? else {
            return Err(TemplateError::at(
                security.line,
                "security is one scheme here",
            ));
        };
        authorizer = scheme.as_map()?.first().map(|scheme| scheme.key.clone());
    }
    let integration = fields.require("x-amazon-apigateway-integration")?;
    fields.finish()?;
    let mut fields = Fields::of(integration, "integration")?;
    fields.only("type", "aws_proxy")?;
    fields.only("httpMethod", "POST")?;
    fields.only("payloadFormatVersion", "2.0")?;
    let function = invoked(fields.require("uri")?, resource)?;
    fields.finish()?;
    Ok((
        function,
        Route {
            authorizer,
            ..route
        },
    ))
}

/// The logical id of an authorizer's function.
fn authorizer(node: &Node, resource: &Resource<'_>) -> Result<String, TemplateError> {
    let mut fields = Fields::of(node, "authorizer")?;
    let function = resource
        .handles
        .find(fields.require("FunctionArn")?, "AWS::Serverless::Function")?;
    let version = fields.require_text("AuthorizerPayloadFormatVersion")?;
    if !version.starts_with('2') {
        return Err(TemplateError::at(
            node.line,
            "AuthorizerPayloadFormatVersion can only be 2.0 here",
        ));
    }
    if !fields.flag("EnableSimpleResponses")? {
        return Err(TemplateError::at(
            node.line,
            "an authorizer needs EnableSimpleResponses: true here",
        ));
    }
    fields.only("AuthorizerResultTtlInSeconds", "0")?;
    if let Some(identity) = fields.take("Identity") {
        let mut inner = Fields::of(identity, "Identity")?;
        inner.only("ReauthorizeEvery", "0")?;
        inner.finish()?;
    }
    fields.finish()?;
    Ok(function)
}

#[cfg(test)]
mod tests {
    use runtime::Environment;

    use super::{
        super::{Event, Template},
        *,
    };

    const SHOP: &str = r#"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023, Handler: bootstrap}}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        info: {title: shop, version: '1'}
        x-amazon-apigateway-cors:
          allowOrigins: !Split [',', 'https://shop.example,https://admin.example']
          allowMethods: [GET]
          allowCredentials: true
          maxAge: 600
        components:
          securitySchemes:
            Session:
              type: apiKey
              name: authorization
              in: header
              x-amazon-apigateway-authorizer:
                type: request
                authorizerUri: !Sub arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${AuthorizeFunction.Arn}/invocations
                authorizerCredentials: !GetAtt ApiRole.Arn
                authorizerPayloadFormatVersion: '2.0'
                authorizerResultTtlInSeconds: 0
                enableSimpleResponses: true
        paths:
          /$default:
            x-amazon-apigateway-any-method:
              isDefaultRoute: true
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                payloadFormatVersion: '2.0'
                credentials: !GetAtt ApiRole.Arn
                uri: !Sub arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${LostFunction.Arn}/invocations
          /api/orders/{id}:
            get:
              security: [{Session: []}]
              responses: {}
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                payloadFormatVersion: '2.0'
                uri: !Sub arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${OrderFunction.Alias}/invocations
  ApiRole: {Type: AWS::IAM::Role}
  AuthorizeFunction: {Type: AWS::Serverless::Function, Properties: {CodeUri: target/lambda/authorize/}}
  LostFunction: {Type: AWS::Serverless::Function, Properties: {CodeUri: target/lambda/lost/}}
  OrderFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/order/, AutoPublishAlias: live}
"#;

    fn read(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, &Environment::default())
    }

    #[test]
    fn the_routes_of_the_definition_belong_to_the_functions_they_invoke() {
        let template = read(SHOP).unwrap();
        let routes_of = |name: &str| -> Vec<(String, Option<String>)> {
            let events = &template.function(name).unwrap().events;
            let routes = events.iter().filter_map(|event| match event {
                Event::Http(route) => Some((route.key(), route.authorizer.clone())),
                _ => None,
            });
            routes.collect()
        };
        assert_eq!(routes_of("lost"), [("$default".to_owned(), None)]);
        let guarded = (
            "GET /api/orders/{id}".to_owned(),
            Some("Session".to_owned()),
        );
        assert_eq!(routes_of("order"), [guarded]);
        assert_eq!(routes_of("authorize"), []);
    }

    #[test]
    fn the_origins_of_the_definition_are_a_list() {
        let cors = read(SHOP).unwrap().api.unwrap().cors.unwrap();
        let origins = ["https://shop.example", "https://admin.example"];
        assert_eq!(cors.allow_origins, origins);
        assert!(cors.allow_credentials);
        assert_eq!(cors.max_age_seconds, Some(600));
    }

    #[test]
    fn a_definition_that_is_not_supported_is_rejected_with_the_reason() {
        for (old, new, reason) in [
            (
                "functions/${LostFunction.Arn}/invocations",
                "${LostFunction.Arn}",
                "uri does not invoke a Lambda function",
            ),
            (
                "${LostFunction.Arn}",
                "${ApiRole.Arn}",
                "arn:aws:iam::000000000000:role/emporium-ApiRole is no AWS::Serverless::Function of this template",
            ),
            (
                "            get:",
                "            fetch:",
                "fetch is not a method of a path",
            ),
            (
                "              isDefaultRoute: true\n",
                "",
                "isDefaultRoute belongs to /$default and nothing else",
            ),
            (
                "type: aws_proxy",
                "type: http_proxy",
                "type can only be aws_proxy here, not http_proxy",
            ),
            (
                "responses: {}",
                "parameters: []",
                "parameters of operation is not supported by the development server",
            ),
            (
                "{Session: []}",
                "{Sesion: []}",
                "there is no authorizer Sesion",
            ),
            (
                "openapi: 3.0.1",
                "openapi: 2.0",
                "openapi can only be 3.0.1 here, not 2.0",
            ),
            (
                "authorizerResultTtlInSeconds: 0",
                "authorizerResultTtlInSeconds: 300",
                "authorizerResultTtlInSeconds can only be 0 here, not 300",
            ),
        ] {
            let text = SHOP.replacen(old, new, 1);
            assert_ne!(text, SHOP, "{old}");
            assert_eq!(read(&text).expect_err(new).reason, reason);
        }
    }
}
