"""Untrusted files and addresses: fetched within a policy, decoded in a sandbox."""
