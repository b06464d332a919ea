//! What a function's AWS clients send their requests through.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};

use super::{Call, Reply, call::Service};
use crate::{
    faults::Fault,
    functions::{Failure, Instance},
    world::World,
};

/// The transport of one instance of a function.
#[derive(Clone)]
pub struct Transport {
    world: Weak<World>,
    instance: Arc<Instance>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move { transport.send(request).await })
    }
}

impl Transport {
    /// The client through which an instance reaches the world.
    pub fn client(world: Weak<World>, instance: Arc<Instance>) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Self { world, instance });
        http_client_fn(move |_, _| connector.clone())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let Some(world) = self.world.upgrade() else {
            return std::future::pending().await;
        };
        let Some(call) = Call::read(&request) else {
            return Err(ConnectorError::user(
                "not a service of the simulation".into(),
            ));
        };
        let fault = match self.instance.has_started() {
            true => world.faults.of_call(),
            false => Fault::None,
        };
        let (name, operation) = (self.instance.name, &call.operation);
        if fault != Fault::None {
            world.tell(format_args!("{name}: {operation}: {fault:?}"));
        }
        tokio::time::sleep(world.faults.latency()).await;
        match fault {
            Fault::Throttled => return Ok(throttled(call.service).into_response()),
            Fault::Failed => return Ok(failed(call.service).into_response()),
            Fault::Hangs => return std::future::pending().await,
            Fault::CrashBefore => return self.instance.die().await,
            Fault::None | Fault::ReplyLost | Fault::HangsAfter | Fault::CrashAfter => {}
        }
        let reply = answer(&world, &call).await;
        match fault {
            Fault::CrashAfter => return self.instance.die().await,
            Fault::HangsAfter => return std::future::pending().await,
            Fault::ReplyLost => return Err(ConnectorError::io("the connection was reset".into())),
            _ => {}
        }
        tokio::time::sleep(world.faults.latency()).await;
        Ok(reply.into_response())
    }
}

async fn answer(world: &Arc<World>, call: &Call) -> Reply {
    match call.service {
        Service::DynamoDb => {
            let request = world.sabotage.weaken(call.json());
            let lock = match world.database.enter(&call.operation, &request) {
                Ok(lock) => lock,
                Err(conflict) => {
                    world.faults.count("transaction conflict");
                    return conflict;
                }
            };
            if lock.is_some() {
                tokio::time::sleep(world.faults.transaction()).await;
            }
            let reply = world.database.answer(&call.operation, &request.to_string());
            drop(lock);
            reply
        }
        Service::Lambda => invoke(world, call).await,
        Service::Secrets => secret(&call.json()),
        Service::Sns => publish(world, call),
        Service::Ses => {
            world.mails.send_modify(|mails| {
                let to = call.form("Destination.ToAddresses.member.1");
                let subject = call.form("Message.Subject.Data");
                let text = |value: Option<std::borrow::Cow<'_, str>>| {
                    value.unwrap_or_default().into_owned()
                };
                mails.push((text(to), text(subject)));
            });
            Reply::ok(
                "<SendEmailResponse><SendEmailResult><MessageId>simulated</MessageId>\
                 </SendEmailResult></SendEmailResponse>",
            )
        }
    }
}

async fn invoke(world: &Arc<World>, call: &Call) -> Reply {
    let payload = match call.body.is_empty() {
        true => "{}".to_owned(),
        false => call.body.clone(),
    };
    match world.invoke_named(&call.operation, payload).await {
        Ok(reply) => Reply::ok(reply),
        Err(Failure::Unknown) => Reply::error(404, "ResourceNotFoundException", "no such function")
            .of_type("ResourceNotFoundException"),
        Err(failure) => {
            let body =
                serde_json::json!({"errorType": "Error", "errorMessage": failure.to_string()});
            Reply::ok(body.to_string()).unhandled()
        }
    }
}

fn secret(request: &serde_json::Value) -> Reply {
    if request["VersionStage"] == "AWSPREVIOUS" {
        return Reply::error(400, "ResourceNotFoundException", "no previous version");
    }
    let name = &request["SecretId"];
    let value = format!("the simulated secret of {name}, which is long enough");
    let body =
        serde_json::json!({"Name": name, "SecretString": value, "VersionStages": ["AWSCURRENT"]});
    Reply::ok(body.to_string())
}

fn publish(world: &Arc<World>, call: &Call) -> Reply {
    let topic = call.form("TopicArn").unwrap_or_default().into_owned();
    if let Some(message) = call.form("Message") {
        world.publish(&topic, &message);
        return Reply::ok(
            "<PublishResponse><PublishResult><MessageId>simulated</MessageId></PublishResult>\
             </PublishResponse>",
        );
    }
    let (mut sent, mut failed) = (String::new(), String::new());
    for entry in 1.. {
        let field = |name| call.form(&format!("PublishBatchRequestEntries.member.{entry}.{name}"));
        let (Some(id), Some(message)) = (field("Id"), field("Message")) else {
            break;
        };
        if world.faults.refuses_entry() {
            world.tell(format_args!("SNS: entry {id} of a batch failed"));
            failed += &format!(
                "<member><Id>{id}</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>"
            );
            continue;
        }
        world.publish(&topic, &message);
        sent += &format!("<member><Id>{id}</Id><MessageId>simulated</MessageId></member>");
    }
    Reply::ok(format!(
        "<PublishBatchResponse><PublishBatchResult><Successful>{sent}</Successful>\
         <Failed>{failed}</Failed></PublishBatchResult></PublishBatchResponse>"
    ))
}

fn throttled(service: Service) -> Reply {
    match service {
        Service::DynamoDb => Reply::error(
            400,
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
            "throttled",
        ),
        Service::Lambda => Reply::error(429, "TooManyRequestsException", "Rate exceeded")
            .of_type("TooManyRequestsException"),
        Service::Secrets => Reply::error(400, "ThrottlingException", "throttled"),
        Service::Sns | Service::Ses => Reply::query_error(400, "Throttling"),
    }
}

fn failed(service: Service) -> Reply {
    match service {
        Service::DynamoDb => Reply::error(
            500,
            "com.amazonaws.dynamodb.v20120810#InternalServerError",
            "simulated",
        ),
        Service::Lambda => {
            Reply::error(500, "ServiceException", "simulated").of_type("ServiceException")
        }
        Service::Secrets => Reply::error(500, "InternalServiceError", "simulated"),
        Service::Sns | Service::Ses => Reply::query_error(500, "InternalError"),
    }
}
