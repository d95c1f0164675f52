"""Any paid HTTP API, such as Firecrawl: units are counted by a rule of the configuration (docs/http-apis.md)."""

from __future__ import annotations

import os

import httpx2

with httpx2.Client(base_url=os.environ["FIRECRAWL_BASE_URL"], timeout=30) as client:
    answer = client.post("/v1/scrape", json={"url": "https://example.com"}, headers={"x-switchgear-job": "acme-42"})
    print(answer.status_code)
