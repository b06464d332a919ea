"""The template as a cloud: an emulated AWS that the release binaries run in."""
