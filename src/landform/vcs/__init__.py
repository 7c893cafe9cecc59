"""Connections to places that keep repositories: sign-in, credentials, hooks and deliveries."""
