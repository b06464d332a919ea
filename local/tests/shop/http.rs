//! The gateway and the dashboard.

use serde_json::{Value, json};

use crate::toy::{TEMPLATE, Toy};

#[tokio::test]
async fn a_request_passes_the_authorizer_and_the_function() {
    let toy = Toy::start().await;
    let reply = toy
        .request("GET", "/echo/a%20b?x=1&x=2")
        .header("x-who", "ann")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.headers().contains_key("apigw-requestid"));
    let echo: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    let event = &echo["event"];
    assert_eq!(event["routeKey"], "GET /echo/{id}");
    assert_eq!(event["pathParameters"], json!({"id": "a b"}));
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2"}));
    assert_eq!(
        event["requestContext"]["authorizer"]["lambda"]["who"],
        "ann"
    );
    assert_eq!(echo["table"], "toys");
    assert_eq!(
        echo["home"],
        format!("{}/", toy.shop.url()),
        "the API's address is that of the shop"
    );

    let refused = toy
        .request("GET", "/echo/1")
        .header("x-who", "nobody")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.text().await.unwrap(), r#"{"message":"Forbidden"}"#);
    assert_eq!(toy.get("/elsewhere").await, (404, json!("nothing here")));
    toy.shop.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_or_hangs_yields_the_gateways_error() {
    let toy = Toy::start().await;
    let internal = json!({"message": "Internal Server Error"});
    assert_eq!(toy.get("/misbehave/panic").await, (500, internal.clone()));
    assert_eq!(toy.get("/misbehave/fail").await, (500, internal));
    assert_eq!(
        toy.get("/misbehave/hang").await,
        (503, json!({"message": "Service Unavailable"}))
    );
    let large = vec![b'x'; 10 * 1024 * 1024 + 1];
    let reply = toy
        .request("POST", "/call")
        .body(large)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 413);
    let (_, state) = toy.get("/_local/state").await;
    let shown = state["functions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|function| function["name"] == "misbehave")
        .unwrap();
    assert_eq!((&shown["calls"], &shown["errors"]), (&json!(3), &json!(3)));
    assert_eq!(
        shown["lastError"]["message"],
        "task timed out after 1 seconds"
    );
    let metrics = toy.metrics().await;
    for (name, function, wanted) in [
        ("function_invocations_total", "misbehave", 3.0),
        ("function_errors_total", "misbehave", 3.0),
        ("function_duration_seconds_count", "misbehave", 3.0),
    ] {
        let sample = format!(r#"emporium_{name}{{function="{function}"}}"#);
        assert_eq!(metrics.get(&sample), Some(&wanted), "{sample}");
    }
    toy.shop.stop().await;
}

#[tokio::test]
async fn the_gateway_handles_cors_and_answers_preflights_that_match_no_route() {
    let preflight = async |toy: &Toy| {
        let request = toy
            .request("OPTIONS", "/echo/1")
            .header("origin", "https://shop.example");
        let reply = request
            .header("access-control-request-method", "GET")
            .send()
            .await
            .unwrap();
        assert_eq!(reply.headers()["access-control-allow-methods"], "GET,POST");
        reply.status().as_u16()
    };
    let without_default = TEMPLATE.replace(
        "Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api}}",
        "Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /rest}}",
    );
    let toy = Toy::of(&without_default).await;
    assert_eq!(preflight(&toy).await, 204, "no route matches");
    toy.shop.stop().await;

    let toy = Toy::start().await;
    // `$default` matches, as in AWS, and its 404 would make browsers block the request.
    assert_eq!(preflight(&toy).await, 404);
    let reply = toy
        .request("GET", "/elsewhere")
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(!reply.headers().contains_key("access-control-allow-origin"));
    toy.shop.stop().await;
}

#[tokio::test]
async fn local_paths_serve_the_dashboard_the_mailbox_and_environments() {
    let toy = Toy::start().await;
    let page = toy.request("GET", "/_local").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(
        page.contains("<title>Emporium (local)</title>") && !page.contains("http"),
        "it loads nothing from elsewhere"
    );
    assert_eq!(
        toy.get("/_local/mailbox?to=ann@example.com").await,
        (200, json!([]))
    );
    assert_eq!(toy.get("/_local/elsewhere").await.0, 404);
    let (_, environment) = toy.get("/_local/environment?function=echo").await;
    assert_eq!(environment["HOME_URL"], format!("{}/", toy.shop.url()));
    assert_eq!(
        environment["AWS_ENDPOINT_URL_DYNAMODB"].as_str(),
        toy.shop.endpoint("AWS_ENDPOINT_URL_DYNAMODB")
    );
    let nobody = toy.get("/_local/environment?function=nobody").await;
    assert_eq!(nobody.0, 404);
    assert_eq!(toy.shop.internal_key(), Some("local-internal-key"));
    toy.shop.stop().await;
}

#[tokio::test]
async fn sent_emails_are_in_the_mailbox_newest_first() {
    let toy = Toy::start().await;
    for (to, subject) in [
        ("ann@example.com", "one"),
        ("bob@example.com", "two"),
        ("ann@example.com", "three"),
    ] {
        let fields = [
            ("Action", "SendEmail"),
            ("Source", "shop@example.com"),
            ("Destination.ToAddresses.member.1", to),
            ("Message.Subject.Data", subject),
            (
                "Message.Body.Text.Data",
                "Guten Tag & auf Wiedersehen, \u{e4}?token=1",
            ),
            ("Message.Body.Html.Data", "<p>x</p>"),
        ];
        toy.form("AWS_ENDPOINT_URL_SES", &fields).await;
    }
    let (_, mails) = toy.get("/_local/mailbox?to=ann%40example.com").await;
    let subjects: Vec<&Value> = mails
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| &mail["subject"])
        .collect();
    assert_eq!(subjects, ["three", "one"]);
    assert_eq!(
        mails[0]["text"],
        "Guten Tag & auf Wiedersehen, \u{e4}?token=1"
    );
    assert_eq!(mails[0]["html"], "<p>x</p>");
    assert!(mails[0]["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        toy.get("/_local/mailbox").await.1.as_array().unwrap().len(),
        3
    );
    toy.shop.stop().await;
}
