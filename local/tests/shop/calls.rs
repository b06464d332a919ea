//! Lambda's Invoke API, and the comparison of template and code.

use local::{Options, Shop, Source};
use runtime::Function;
use serde_json::Value;

use crate::toy::{Recorder, TEMPLATE, Toy, functions, toy};

#[tokio::test]
async fn functions_invoke_each_other_by_name_and_by_arn() {
    let toy = Toy::start().await;
    let reply = toy
        .request("POST", "/call")
        .header("content-type", "text/plain")
        .body("21")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.text().await.unwrap(), "42");
    let lambda = toy
        .shop
        .endpoint("AWS_ENDPOINT_URL_LAMBDA")
        .unwrap()
        .to_owned();
    let invoke = |name: &str, kind: &str, body: &str| {
        let url = format!(
            "{lambda}/2015-03-31/functions/{}/invocations",
            name.replace(':', "%3A")
        );
        toy.client
            .post(url)
            .header("x-amz-invocation-type", kind)
            .body(body.to_owned())
            .send()
    };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:emporium-double";
    let reply = invoke(arn, "RequestResponse", "4").await.unwrap();
    assert_eq!(
        (
            reply.status().as_u16(),
            reply.text().await.unwrap().as_str()
        ),
        (200, "8")
    );
    let reply = invoke("emporium-double", "RequestResponse", "\"x\"")
        .await
        .unwrap();
    assert_eq!(reply.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(
        reply.text().await.unwrap(),
        r#"{"errorMessage":"not a number","errorType":"Error"}"#
    );
    assert_eq!(
        invoke("emporium-double", "Event", "1")
            .await
            .unwrap()
            .status(),
        202
    );
    let reply = invoke("emporium-triple", "RequestResponse", "1")
        .await
        .unwrap();
    assert_eq!(reply.status(), 404);
    assert_eq!(
        reply.headers()["x-amzn-errortype"],
        "ResourceNotFoundException"
    );
    toy.shop.stop().await;
}

#[tokio::test]
async fn template_and_code_must_have_the_same_functions() {
    let recorder = Recorder::default();
    let start = async |change: fn(&mut Vec<Function>)| {
        let mut code = functions(&recorder, &recorder);
        change(&mut code);
        Shop::start(Options::new(Source::Text(TEMPLATE.to_owned()), code))
            .await
            .err()
            .unwrap()
            .to_string()
    };
    let missing = start(|code| code.retain(|function| function.name != "double")).await;
    assert!(
        missing.contains("refers to double, which no service defines"),
        "{missing}"
    );
    assert!(
        missing.starts_with("template and code differ:\n  template.yaml:"),
        "{missing}"
    );
    let stray = start(|code| code.push(toy("triple", |_, _| async { Ok(Value::Null) }))).await;
    assert_eq!(
        stray,
        "template and code differ:\n  triple is not in any CodeUri of the template"
    );
}
