//! A change of address does not reveal to its own account who has the new one.

use contracts::events::UserVerificationRequested;
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    export_account::StubExports,
    fixture::{PASSWORD, Person, TestUsers},
};

const TAKEN: &str = "taken@example.com";
const FREE: &str = "free@example.com";

impl TestUsers {
    /// Registers in either mode, proves the mailbox and signs in.
    async fn proven(&self, email: &str, registered: StatusCode) -> Person {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada Lovelace"});
        let client = self.client();
        client.post("/api/auth/register", &body, registered).await;
        let token = self.mailed_token("user.registered").await;
        self.verify_email(&token, OK).await;
        Person::of(&self.log_in(email, PASSWORD, OK).await)
    }

    /// All that an account sees of itself after it requested an address: the reply, and
    /// its export, which has the history.
    async fn seen_after_request(&self, person: &Person, email: &str) -> [Value; 2] {
        let body = json!({"email": email, "currentPassword": PASSWORD});
        let reply = self.update_profile(person, &body, OK).await;
        let client = self.client_of(person);
        let export = client.get("/api/users/export", OK).await;
        [reply.body, export.body].map(|mut body| {
            body["meta"]["requestId"] = Value::Null;
            body
        })
    }

    /// The verification emails that were requested for an address.
    async fn requests_for(&self, email: &str) -> Vec<UserVerificationRequested> {
        let events = self.table.events().await.into_iter();
        let requests = events.filter(|event| event.is::<UserVerificationRequested>());
        let requests = requests.map(|event| event.read().unwrap());
        requests
            .filter(|request: &UserVerificationRequested| request.email == email)
            .collect()
    }
}

#[tokio::test]
async fn an_account_sees_the_same_of_a_taken_a_free_and_an_exhausted_address() {
    for (mode, registered) in [("open", CREATED), ("private", ACCEPTED)] {
        let stub = StubExports::default();
        let users = TestUsers::exporting_with(&stub, &[("REGISTRATION", mode)]).await;
        users.proven(TAKEN, registered).await;
        let ada = users.proven("ada@example.com", registered).await;
        let taken = users.seen_after_request(&ada, TAKEN).await;
        assert_eq!(taken[1]["data"]["account"]["email"], "ada@example.com");
        // Five are sent, and the sixth exceeds the limit of the address.
        for _ in 0..6 {
            let free = users.seen_after_request(&ada, FREE).await;
            assert_eq!(free, taken, "{mode}");
        }
        assert_eq!(users.requests_for(TAKEN).await, []);
        let sent = users.requests_for(FREE).await;
        assert_eq!(sent.len(), 5, "{mode}");
        assert!(sent.iter().all(|sent| sent.replaces_current == Some(true)));
    }
}

#[tokio::test]
async fn a_request_shows_once_the_address_has_changed() {
    let stub = StubExports::default();
    let users = TestUsers::exporting_with(&stub, &[]).await;
    let ada = users.proven("ada@example.com", CREATED).await;
    let [_, export] = users.seen_after_request(&ada, FREE).await;
    assert!(!export.to_string().contains(FREE), "{export}");
    let token = users.mailed_token("user.verification_requested").await;
    users.verify_email_in_session(&ada, &token).await;
    let export = users.client_of(&ada).get("/api/users/export", OK).await;
    let history = export.body["data"]["history"].as_array().unwrap();
    let shown = history
        .iter()
        .find(|event| event["type"] == "user.verification_requested");
    assert_eq!(shown.unwrap()["data"]["email"], FREE);
}
