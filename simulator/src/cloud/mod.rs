//! AWS as the functions see it: no sockets, no threads, and time that passes only when
//! everybody waits.

mod call;
mod conflicts;
mod database;
mod images;
mod lag;
mod limits;
mod queues;
mod replies;
mod streams;
mod transport;

pub use call::{Call, Service};
pub use database::Database;
pub use images::LAG_MAX;
pub use lag::{Behind, may_lag};
pub use limits::Limits;
pub use queues::{Message, Queues};
pub use replies::Reply;
pub use streams::Shard;
pub use transport::Transport;
