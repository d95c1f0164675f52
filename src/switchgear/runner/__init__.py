"""Durable pipelines: runs that survive `kill -9`, a budget and a dead provider (DBOS underneath)."""
