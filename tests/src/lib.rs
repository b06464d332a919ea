//! The tests are in `shop/` and `architecture/`.
