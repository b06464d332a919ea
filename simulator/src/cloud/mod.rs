//! AWS as the functions see it: no sockets, no threads, and time that passes only when
//! everybody waits.

mod call;
mod database;
mod queues;
mod replies;
mod transport;

pub use call::Call;
pub use database::Database;
pub use queues::{Message, Queues};
pub use replies::Reply;
pub use transport::Transport;
