//! The catalog service, function by function, on an embedded DynamoDB.
