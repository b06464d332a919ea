//! What is generated is as the generator makes it, and the generator makes what
//! it should of something new.

use std::collections::BTreeMap;

use local::template::Template;
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, Endpoint},
};
use serde_json::{Value, json};

use crate::{
    generated::{Output, files::message_to, outputs, outputs_of, template},
    support::{functions, read, root},
};

#[test]
fn what_is_generated_is_current() {
    let stale: Vec<String> = outputs()
        .iter()
        .filter(|output| output.is_stale())
        .map(|output| output.path.display().to_string())
        .collect();
    assert!(stale.is_empty(), "run `make generate`: it writes {stale:?}");
}

/// All functions, and one that is in no file yet.
fn with_postcard() -> Vec<(&'static str, Function)> {
    const GRANTS: &[Grant] = &[
        grant("dynamodb:GetItem", "OrdersTable"),
        grant("dynamodb:Query", "OrdersTable/index/by-user"),
    ];
    async fn never(_: Environment) -> Result<(), Error> {
        Err("not started here".into())
    }
    async fn print_postcard() {}
    let endpoint = Endpoint::new("print-postcard", Access::SignedIn, GRANTS);
    let postcard = endpoint
        .post("/api/orders/{id}/postcard", print_postcard)
        .start(never);
    let mut declared = functions();
    declared.push(("orders", postcard));
    declared
}

#[test]
fn a_new_endpoint_gets_its_resource_route_and_role() {
    let declared = with_postcard();
    let written = read(&root().join("template.yaml"));
    let text = template(&written, &declared);
    for part in [
        "  PrintPostcardFunction:\n    Type: AWS::Serverless::Function\n",
        "      Description: POST /api/orders/{id}/postcard\n",
        "      CodeUri: target/lambda/print-postcard/\n      Role: !GetAtt PrintPostcardRole.Arn\n",
        "          /api/orders/{id}/postcard:\n            post:\n",
        "functions/${PrintPostcardFunction.Arn}/invocations\n",
        "                  - !GetAtt PrintPostcardFunction.Arn\n",
    ] {
        assert!(text.contains(part), "no {part} in the template");
        assert!(!written.contains(part), "{part} is in the template already");
    }
    let role = text.split("\n  PrintPostcardRole:\n").nth(1).unwrap();
    let role = role.split("\n\n").next().unwrap();
    assert!(role.contains("Resource: !Sub ${OrdersTable.Arn}/index/by-user\n"));
    // The variables of list-orders, which reads the same.
    let function = text.split("\n  PrintPostcardFunction:\n").nth(1).unwrap();
    assert!(
        function
            .split("\n\n")
            .next()
            .unwrap()
            .contains("CURSOR_KEY:")
    );
    assert_eq!(
        text,
        template(&text, &declared),
        "a second run changes more"
    );
}

#[test]
fn a_new_endpoint_gets_its_binary_sample_and_access_row() {
    let stale: BTreeMap<String, String> = outputs_of(&with_postcard())
        .into_iter()
        .filter(Output::is_stale)
        .map(|output| (output.path.display().to_string(), output.text))
        .collect();
    assert_eq!(stale.len(), 4, "{:?}", stale.keys());
    assert_eq!(
        stale["functions/orders/src/bin/print-postcard.rs"],
        "//! The function `print-postcard`.\n\nfn main() -> Result<(), runtime::Error> {\n    \
         runtime::serve(orders::api::print_postcard::function())\n}\n"
    );
    let sample: Value = serde_json::from_str(&stale["events/print-postcard.json"]).unwrap();
    assert_eq!(sample["routeKey"], "POST /api/orders/{id}/postcard");
    assert_eq!(sample["headers"]["content-type"], "application/json");
    assert_eq!(
        sample["requestContext"]["authorizer"]["lambda"]["kind"],
        "user"
    );
    assert_eq!(sample["expected"], json!({ "statusCode": 422 }));
    let id = sample["pathParameters"]["id"].as_str().unwrap();
    assert_eq!(
        sample["rawPath"],
        json!(format!("/api/orders/{id}/postcard"))
    );
    let access = &stale["tests/shop/access.txt"];
    let written = read(&root().join("tests/shop/access.txt"));
    let row = access
        .strip_prefix(written.as_str())
        .expect("what was there is unchanged");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells, ["POST", "/api/orders/{id}/postcard", "u", "order"]);
}

#[test]
fn a_new_consumer_gets_a_sample_of_an_event_that_it_subscribes_to() {
    let template = Template::load(&root().join("template.yaml"), &Environment::default()).unwrap();
    let written = read(&root().join("events/anonymise-orders.json"));
    let sample = message_to(template.function("anonymise-orders").unwrap(), &template).unwrap();
    let [written, sample]: [Value; 2] =
        [written, sample].map(|text| serde_json::from_str(&text).unwrap());
    let type_of = |event: &Value| -> Value {
        let body = event["Records"][0]["body"].as_str().unwrap();
        serde_json::from_str::<Value>(body).unwrap()["type"].clone()
    };
    assert_eq!(type_of(&sample), "user.erased");
    assert_eq!(type_of(&sample), type_of(&written));
    let source = "eventSourceARN";
    assert_eq!(sample["Records"][0][source], written["Records"][0][source]);
}
