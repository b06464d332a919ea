//! What a function's AWS clients send their requests through.

use std::{
    fmt,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use serde_json::{Value, json};

use super::{Call, Database, Reply, call::Service, images::key_of, may_lag};
use crate::{
    faults::Fault,
    functions::{Failure, Instance, Trace},
    sabotage::Sabotage,
    world::{Mail, World},
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
            true => world.faults.of_call(call.service),
            false => Fault::None,
        };
        if call.operation != "Query" {
            self.instance.trace().worked = true;
        }
        let (name, operation) = (self.instance.name, &call.operation);
        if fault != Fault::None {
            let keys = call.partitions();
            world.tell(format_args!("{name}: {operation} {keys}: {fault:?}"));
        }
        tokio::time::sleep(world.faults.latency()).await;
        if fault != Fault::None {
            excuse(&world, &self.instance);
        }
        match fault {
            Fault::Throttled => return Ok(throttled(call.service).into_response()),
            Fault::Failed => return Ok(failed(call.service).into_response()),
            Fault::Hangs => return std::future::pending().await,
            Fault::CrashBefore => return self.instance.die().await,
            Fault::None | Fault::ReplyLost | Fault::HangsAfter | Fault::CrashAfter => {}
        }
        let reply = answer(&world, &self.instance, &call).await;
        if fault != Fault::None || !reply.is_success() {
            excuse(&world, &self.instance);
        }
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

/// Whatever the invocation has mailed may be mailed again: something went wrong after it.
fn excuse(world: &World, instance: &Instance) {
    let mut mails = world.mails.lock().unwrap_or_else(PoisonError::into_inner);
    for index in &instance.trace().mails {
        mails[*index].excused = true;
    }
}

async fn answer(world: &Arc<World>, instance: &Instance, call: &Call) -> Reply {
    match call.service {
        Service::DynamoDb => ask_database(world, instance, call).await,
        Service::Lambda => invoke(world, call).await,
        Service::Secrets => secret(&call.json()),
        Service::Sns => publish(world, call),
        Service::Sqs => ask_queue(world, call),
        Service::Ses => {
            let text = |name| call.form(name).unwrap_or_default().into_owned();
            let mut mails = world.mails.lock().unwrap_or_else(PoisonError::into_inner);
            instance.trace().mails.push(mails.len());
            mails.push(Mail {
                to: text("Destination.ToAddresses.member.1"),
                subject: text("Message.Subject.Data"),
                about: text("Tags.member.1.Value"),
                excused: false,
            });
            Reply::ok(
                "<SendEmailResponse><SendEmailResult><MessageId>simulated</MessageId>\
                 </SendEmailResult></SendEmailResponse>",
            )
        }
    }
}

async fn ask_database(world: &Arc<World>, instance: &Instance, call: &Call) -> Reply {
    let (database, operation) = (&world.database, call.operation.as_str());
    let request = world.sabotage.weaken(call.json());
    if !database.admits(operation, &request) {
        world.faults.count("partition throttled");
        return throttled(call.service);
    }
    let lock = match database.in_flight.enter(operation, &request) {
        Ok(lock) => lock,
        Err(conflict) => {
            world.faults.count("transaction conflict");
            return conflict;
        }
    };
    if lock.is_some() {
        tokio::time::sleep(world.faults.transaction()).await;
    }
    if operation == "Query" {
        note(database, &mut instance.trace(), &request);
    }
    let behind = match may_lag(operation, &request) {
        true => world.faults.lag(),
        false => None,
    };
    let reply = match behind {
        Some(behind) => database.answer_late(operation, &request, behind),
        None => database.answer(operation, &request),
    };
    if world.sabotage == Sabotage::Unrecorded && operation == "PutItem" {
        let key = key_of(&request["Item"]);
        if key.0.starts_with("PAYMENT#") {
            let table = request["TableName"].as_str().unwrap_or_default();
            instance.trace().recorded.push((table.to_owned(), key));
        }
    }
    drop(lock);
    for change in database.take_changes() {
        let (name, pk) = (instance.name, &change.pk);
        let of = change.order.map(|order| format!(" of order {order}"));
        let of = of.unwrap_or_default();
        world.tell(format_args!(
            "{name}: {pk}{of}: \"{}\" → \"{}\"",
            change.before, change.after
        ));
    }
    reply
}

/// Notes whether a query found nothing because there was nothing.
fn note(database: &Database, trace: &mut Trace, query: &Value) {
    let table = query["TableName"].as_str().unwrap_or_default();
    let changes = database.changes_of(table);
    trace.tables.entry(table.to_owned()).or_insert(changes);
    trace.worked = trace.worked || !database.is_empty(query);
}

/// What a queue is asked to do by a function.
fn ask_queue(world: &Arc<World>, call: &Call) -> Reply {
    let request = call.json();
    let url = request["QueueUrl"].as_str().unwrap_or_default();
    let Some(queue) = world.queues.at(url) else {
        return Reply::error(400, "com.amazonaws.sqs#QueueDoesNotExist", "no such queue");
    };
    let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap_or_default());
    let send = |message: &Value| {
        let body = message["MessageBody"].as_str().unwrap_or_default();
        for after in world.faults.deliveries() {
            let delay = seconds(&message["DelaySeconds"]);
            world.send(queue.clone(), body.to_owned(), after, delay);
        }
    };
    let hide = |one: &Value| {
        let id = one["ReceiptHandle"]
            .as_str()
            .and_then(|handle| handle.parse().ok());
        let visibility = seconds(&one["VisibilityTimeout"]);
        world
            .queues
            .hide(&queue, id.unwrap_or_default(), visibility);
    };
    let entries = || request["Entries"].as_array().into_iter().flatten();
    let sent = json!({"MessageId": "simulated", "MD5OfMessageBody": ""});
    let all = || {
        let done = entries().map(
            |entry| json!({"Id": entry["Id"], "MessageId": "simulated", "MD5OfMessageBody": ""}),
        );
        json!({"Successful": done.collect::<Vec<_>>(), "Failed": []})
    };
    let reply = match call.operation.as_str() {
        "SendMessage" => {
            send(&request);
            sent
        }
        "SendMessageBatch" => {
            entries().for_each(send);
            all()
        }
        "ChangeMessageVisibility" => {
            hide(&request);
            json!({})
        }
        "ChangeMessageVisibilityBatch" => {
            entries().for_each(hide);
            all()
        }
        other => {
            return Reply::error(400, "InvalidAction", &format!("{other} is not simulated"));
        }
    };
    Reply::ok(reply.to_string())
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
            let body = json!({"errorType": "Error", "errorMessage": failure.to_string()});
            Reply::ok(body.to_string()).unhandled()
        }
    }
}

fn secret(request: &Value) -> Reply {
    if request["VersionStage"] == "AWSPREVIOUS" {
        return Reply::error(400, "ResourceNotFoundException", "no previous version");
    }
    let name = &request["SecretId"];
    let value = format!("the simulated secret of {name}, which is long enough");
    let body = json!({"Name": name, "SecretString": value, "VersionStages": ["AWSCURRENT"]});
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
        Service::Secrets | Service::Sqs => Reply::error(400, "ThrottlingException", "throttled"),
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
        Service::Secrets | Service::Sqs => Reply::error(500, "InternalServiceError", "simulated"),
        Service::Sns | Service::Ses => Reply::query_error(500, "InternalError"),
    }
}
