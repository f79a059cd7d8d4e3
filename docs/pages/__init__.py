"""The pages that are made of settings and schemas."""
