//! Accounts as admins list, read and deactivate them.

use futures_util::future::join_all;
use kernel::UserId;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::fixture::{PASSWORD, Person, TestUsers};

async fn list(users: &TestUsers, query: &str) -> Reply {
    let path = format!("/api/users{query}");
    users.internal_client().get(&path, OK).await
}

fn emails(reply: &Reply) -> Vec<&str> {
    let data = reply.body["data"].as_array().unwrap();
    data.iter()
        .map(|user| user["email"].as_str().unwrap())
        .collect()
}

async fn deactivate(
    users: &TestUsers,
    admin: &Person,
    person: &Person,
    expected: StatusCode,
) -> Reply {
    let path = format!("/api/users/{}", person.id);
    users.admin_client(admin).delete(&path, expected).await
}

#[tokio::test]
async fn users_are_listed_by_email_with_filters_pages_and_totals() {
    let users = TestUsers::new().await;
    for name in ["eve", "adam", "bob", "ada", "carol"] {
        users.register(&format!("{name}@example.com")).await;
    }
    let bob = emails(&list(&users, "?email=bob").await)[0].to_owned();
    assert_eq!(bob, "bob@example.com");
    let all = list(&users, "").await;
    let sorted = ["ada", "adam", "bob", "carol", "eve"].map(|name| format!("{name}@example.com"));
    assert_eq!(emails(&all), sorted);
    assert_eq!(all.body["meta"]["pagination"]["total"], 5);
    let id = |at: usize| -> UserId {
        all.body["data"][at]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    users.update(id(0), &json!({"role": "moderator"}), OK).await;
    users
        .update(id(2), &json!({"status": "suspended"}), OK)
        .await;
    for (query, found, total) in [
        ("?role=moderator", vec!["ada"], json!(1)),
        ("?status=suspended", vec!["bob"], json!(1)),
        (
            "?status=active&role=user",
            vec!["adam", "carol", "eve"],
            json!(3),
        ),
        ("?status=pending", vec![], json!(0)),
        ("?email=AD", vec!["ada", "adam"], Value::Null),
        ("?email=ad&role=user", vec!["adam"], Value::Null),
        ("?email=zoe", vec![], Value::Null),
    ] {
        let reply = list(&users, query).await;
        let found: Vec<String> = found
            .iter()
            .map(|name| format!("{name}@example.com"))
            .collect();
        assert_eq!(emails(&reply), found, "{query}");
        assert_eq!(reply.body["meta"]["pagination"]["total"], total, "{query}");
    }
    for filter in ["", "&email=a", "&status=active"] {
        let whole = list(&users, &format!("?limit=100{filter}")).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&users, &format!("?limit=1{filter}{cursor}")).await;
            seen.extend(emails(&page).into_iter().map(str::to_owned));
            let Some(next) = page.body["meta"]["pagination"]["nextCursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, emails(&whole), "{filter}");
        assert!(seen.len() > 1, "{filter}");
    }
    let path = "/api/users?status=gone&role=root&limit=0&cursor=x&page=2";
    let reply = users
        .internal_client()
        .get(path, UNPROCESSABLE_ENTITY)
        .await;
    let mut fields = reply.invalid_fields();
    fields.sort_unstable();
    assert_eq!(fields, ["limit", "page", "role", "status"]);
}

#[tokio::test]
async fn an_account_is_shown_without_its_password_hash_and_only_to_admins() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.log_in("ada@example.com", PASSWORD, OK).await;
    let path = format!("/api/users/{}", ada.id);
    let reply = users.internal_client().get(&path, OK).await;
    let data = &reply.body["data"];
    assert_eq!(data["email"], "ada@example.com");
    assert_eq!(
        (&data["lastLoginIp"], &data["lastLoginAt"]),
        (&json!("203.0.113.7"), &json!("2026-01-01T00:00:00Z"))
    );
    assert!(!reply.body.to_string().contains("argon2"));
    users.client_of(&ada).get(&path, FORBIDDEN).await;
    users.client_of(&ada).get("/api/users", FORBIDDEN).await;
    users.client_of(&ada).delete(&path, FORBIDDEN).await;
    users.client().get(&path, UNAUTHORIZED).await;
    let nobody = format!("/api/users/{}", testkit::new_id::<UserId>());
    users.internal_client().get(&nobody, NOT_FOUND).await;
    users.internal_client().delete(&nobody, NOT_FOUND).await;
}

#[tokio::test]
async fn deactivating_an_account_ends_its_sessions_and_is_published_once() {
    let users = TestUsers::new().await;
    let admin = users.register_admin("root@example.com").await;
    let ada = users.register("ada@example.com").await;
    deactivate(&users, &admin, &ada, OK).await;
    deactivate(&users, &admin, &ada, OK).await;
    assert_eq!(users.authorize(&ada.token).await, "account_inactive");
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    let types = users.table.event_types().await;
    let of_ada = &types[types.len() - 2..];
    assert_eq!(of_ada, ["user.updated", "user.deactivated"]);
    assert_eq!(
        types
            .iter()
            .filter(|kind| *kind == "user.deactivated")
            .count(),
        1
    );
    assert_eq!(
        emails(&list(&users, "?status=inactive").await),
        ["ada@example.com"]
    );
}

#[tokio::test]
async fn admins_cannot_remove_the_last_admin() {
    let users = TestUsers::new().await;
    let one = users.register_admin("one@example.com").await;
    let two = users.register_admin("two@example.com").await;
    // Each deactivates the other concurrently: one succeeds.
    let replies = join_all([(&one, &two), (&two, &one)].map(|(admin, other)| {
        let client = users.admin_client(admin);
        let path = format!("/api/users/{}", other.id);
        client.exchange(http::Method::DELETE, &path, None)
    }))
    .await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{replies:?}");
    let left = if replies[0].status == OK { &one } else { &two };
    assert_eq!(
        deactivate(&users, left, left, CONFLICT).await.body["code"],
        "last_admin"
    );
    let client = users.admin_client(left);
    let path = format!("/api/users/{}", left.id);
    for change in [json!({"role": "user"}), json!({"status": "suspended"})] {
        let reply = client.patch(&path, &change, CONFLICT).await;
        assert_eq!(reply.body["code"], "last_admin");
    }
    assert_eq!(
        emails(&list(&users, "?role=admin&status=active").await),
        [left.email.as_str()]
    );
    // The internal key can: it can also make another admin.
    users.update(left.id, &json!({"role": "user"}), OK).await;
    users.update(left.id, &json!({"role": "admin"}), OK).await;
    deactivate(&users, left, left, CONFLICT).await;
}
