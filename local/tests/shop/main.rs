//! A small shop of toy functions against the real embedded services.

mod calls;
mod http;
mod toy;
mod work;
