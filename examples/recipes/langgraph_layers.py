"""A LangGraph whose nodes are layers: each node's calls are counted as its own."""

from __future__ import annotations

from typing import TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph

import switchgear as sg


class Story(TypedDict, total=False):
    """What the nodes hand on."""

    topic: str
    plan: str
    text: str


def ask(layer: str, question: str) -> str:
    """Ask as *layer* of one job: what holds here (attribution) is told to the gateway by headers."""
    model = ChatOpenAI(
        model="gpt-4o-mini",
        max_tokens=50,
        max_retries=0,
        default_headers={"x-switchgear-job": "story-7", "x-switchgear-run": "run-1", "x-switchgear-layer": layer},
    )
    return str(model.invoke(question).content)


def plan(state: Story) -> Story:
    """First layer."""
    return {"plan": ask("plan", f"Plan a story about {state['topic']}.")}


def write(state: Story) -> Story:
    """Second layer."""
    return {"text": ask("write", f"Write this: {state['plan']}")}


graph = StateGraph(Story)
graph.add_node("plan", plan)
graph.add_node("write", write)
graph.add_edge(START, "plan")
graph.add_edge("plan", "write")
graph.add_edge("write", END)
print(graph.compile().invoke({"topic": f"switchgear {sg.__version__}"})["text"])
