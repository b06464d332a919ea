//! The simulator itself: seeds replay, storms pass, and what is broken is noticed.

mod database;
mod runs;
