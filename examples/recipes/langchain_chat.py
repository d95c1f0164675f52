"""LangChain through the gateway: its models read the same variables, and take headers."""

from __future__ import annotations

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="gpt-4o-mini",
    max_tokens=50,
    max_retries=0,
    default_headers={"x-switchgear-job": "acme-42", "x-switchgear-layer": "chain"},
)
print(model.invoke("What does Acme make?").content)
