//! What is generated is as the generator makes it, and the generator makes what
//! it should of something new.

use runtime::{Function, Route, Trigger, grant, http::Access};

use crate::{
    generated::{outputs, template},
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

#[test]
fn a_new_endpoint_gets_its_function_route_and_role() {
    const GRANTS: &[runtime::Grant] = &[
        grant("dynamodb:GetItem", "OrdersTable"),
        grant("dynamodb:Query", "OrdersTable/index/by-user"),
    ];
    let route = Route {
        method: Some("GET".parse().unwrap()),
        path: "/api/orders/{id}/invoice",
        access: Access::SignedIn,
    };
    let invoice = Function::new(
        "get-invoice",
        Trigger::Http(vec![route]),
        GRANTS,
        |_| async { Err("not started here".into()) },
    );
    let mut declared = functions();
    declared.push(("orders", invoice));
    let written = read(&root().join("template.yaml"));
    let text = template(&written, &declared);
    for part in [
        "  GetInvoiceFunction:\n    Type: AWS::Serverless::Function\n",
        "      CodeUri: target/lambda/get-invoice/\n      Role: !GetAtt GetInvoiceRole.Arn\n",
        "          /api/orders/{id}/invoice:\n            get:\n",
        "functions/${GetInvoiceFunction.Arn}/invocations\n",
        "                  - !GetAtt GetInvoiceFunction.Arn\n",
        "                Resource: !Sub ${OrdersTable.Arn}/index/by-user\n",
    ] {
        assert!(text.contains(part), "no {part} in the template");
        assert!(
            !written.contains(part) || part.contains("by-user"),
            "{part}"
        );
    }
    assert_eq!(
        text,
        template(&text, &declared),
        "the second run changes more"
    );
}
