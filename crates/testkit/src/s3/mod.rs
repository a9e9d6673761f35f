//! Object storage for tests: two servers that others wrote, and a network between them and us that can be as bad as wanted.

mod http;
pub mod proxy;
mod server;

pub use http::{Answer, Request};
pub use proxy::{Fault, Proxy};
pub use server::{KEY, SECRET, Server};
