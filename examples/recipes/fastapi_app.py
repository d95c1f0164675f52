"""A FastAPI application with the gate inside it: no gateway, no second process."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

import switchgear as sg


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One governor for the life of the application."""
    with sg.Governor.from_config(os.environ["SWITCHGEAR_CONFIG"]) as gov:
        async with gov.async_http_client("openai") as http:
            app.state.client = openai.AsyncOpenAI(http_client=http, max_retries=0)
            yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(openai.APIStatusError)
def refused(_: Request, error: openai.APIStatusError) -> JSONResponse:
    """Tell the caller of ours what the gate told us, with its status and its moment to try again."""
    after = error.response.headers.get("retry-after")
    return JSONResponse(
        error.response.json(), status_code=error.status_code, headers={"retry-after": after} if after else None
    )


@app.get("/summary/{tenant}")
async def summary(tenant: str, request: Request) -> dict[str, Any]:
    """Answer on behalf of *tenant*, whose budget it is."""
    with sg.attribution(job=tenant, layer="summary"):
        answer = await request.app.state.client.chat.completions.create(
            model="gpt-4o-mini", max_tokens=50, messages=[{"role": "user", "content": "What does Acme make?"}]
        )
    return {"summary": answer.choices[0].message.content}


if __name__ == "__main__":
    with TestClient(app) as browser:
        sys.stdout.write(f"{browser.get('/summary/acme').json()}\n")
