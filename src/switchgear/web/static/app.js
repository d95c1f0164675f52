"use strict";
/* What pages do beyond htmx: say when they are stale, speak on changes of state, copy a line. */
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const line = document.getElementById("freshness");
  const words = line && line.querySelector("[data-fresh]");
  const announcer = document.getElementById("announcer");
  const pollers = [...document.querySelectorAll("[data-interval]")];
  const seen = new Map(pollers.map((poller) => [poller, { good: Date.now(), trouble: "" }]));
  const fresh = words ? words.textContent : "";
  const clock = (instant) => new Date(instant).toLocaleTimeString("en-GB");
  const pollerOf = (event) => {
    const source = event.detail && event.detail.ctx && event.detail.ctx.sourceElement;
    return seen.has(source) ? source : null;
  };

  /* Stale: 2.5 intervals without a good answer; then the line says as of when, and cards get a hatched edge. */
  const show = () => {
    let oldest = null;
    let trouble = "";
    for (const [poller, state] of seen) {
      const age = (Date.now() - state.good) / 1000 / Number(poller.dataset.interval);
      poller.classList.toggle("stale", age >= 2.5);
      if (age >= 2.5 && (oldest === null || state.good < oldest)) oldest = state.good;
      trouble = trouble || state.trouble;
      line.classList.toggle("very-stale", age >= 10);
    }
    line.classList.toggle("stale-line", oldest !== null || trouble !== "");
    words.textContent = (oldest === null ? "" : `As of ${clock(oldest)}. `) + trouble || fresh;
  };

  const failed = (event, what) => {
    const poller = pollerOf(event);
    if (!poller) return;
    const state = seen.get(poller);
    state.trouble = `Could not refresh: ${what} at ${clock(Date.now())}, retrying every ${poller.dataset.interval} s`;
    show();
  };

  const states = () =>
    new Map([...document.querySelectorAll("[data-watch]")].map((each) => [each.dataset.watch, each.dataset.state]));
  let before = states();
  const announce = () => {
    const after = states();
    const news = [...after].filter(([name, state]) => before.has(name) && before.get(name) !== state);
    if (news.length) announcer.textContent = news.map(([name, state]) => `${name}: ${state}`).join(". ");
    before = after;
    const word = document.getElementById("health-word");
    const banner = document.querySelector("#health-banner h2 .glyph");
    const health = after.get("Overall health");
    if (word && banner && health && word.textContent.trim() !== health) {
      const badge = word.querySelector(".badge");
      badge.className = `badge ${[...banner.closest("section").classList].find((name) => name.startsWith("tone-"))}`;
      badge.replaceChildren(banner.cloneNode(true), health);
    }
  };

  document.addEventListener("htmx:before:request", (event) => {
    const ctx = event.detail && event.detail.ctx;
    if (document.hidden && ctx && ctx.sourceEvent && ctx.sourceEvent.type === "every") event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const poller = pollerOf(event);
    const ctx = event.detail.ctx;
    if (!poller || !ctx.response || ctx.response.status >= 400) return;
    seen.set(poller, { good: Date.now(), trouble: "" });
    announce();
    show();
  });
  document.addEventListener("htmx:response:error", (event) => failed(event, event.detail.ctx.response.status === 401 ? "signed out" : String(event.detail.ctx.response.status)));
  document.addEventListener("htmx:error", (event) => failed(event, "no answer"));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const poller of pollers) poller.dispatchEvent(new CustomEvent("every"));
  });
  if (pollers.length) setInterval(() => document.hidden || show(), 5000);

  /* The live list of calls: rows come in order of time, or in the place of what they were before. */
  const live = document.querySelector("[data-tail]");
  if (live) {
    const body = document.querySelector(".calls tbody");
    const said = live.querySelector("[data-live]");
    const button = live.querySelector("button");
    const most = Math.max(100, body.rows.length);
    const address = new URL(live.dataset.tail, location.href);
    let source = null;
    let paused = false;
    const place = (row) => {
      const old = document.getElementById(row.id);
      if (old) return old.replaceWith(row);
      const later = [...body.rows].find((each) => Number(each.dataset.at) <= Number(row.dataset.at));
      row.classList.add("fresh");
      body.insertBefore(row, later || null);
    };
    const stop = () => {
      if (source) source.close();
      source = null;
    };
    const start = () => {
      stop();
      source = new EventSource(address);
      source.onopen = () => { said.textContent = "Live: new calls appear here"; };
      source.onerror = () => { said.textContent = `No answer at ${clock(Date.now())}, trying again`; };
      source.addEventListener("rows", (event) => {
        const made = document.createElement("template");
        made.innerHTML = event.data;
        for (const row of made.content.querySelectorAll("tr")) place(row);
        while (body.rows.length > most) body.lastElementChild.remove();
        address.searchParams.set("place", event.lastEventId);
      });
      source.addEventListener("more", () => { said.textContent = "Live: more calls come than are shown here; reload for all"; });
    };
    const follow = () => (paused || document.hidden ? stop() : start());
    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      if (paused) said.textContent = "Paused: what comes meanwhile is added when it goes on";
      follow();
    });
    document.addEventListener("visibilitychange", follow);
    follow();
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      announcer.textContent = "Copied";
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
    } catch {
      announcer.textContent = "The browser does not allow copying here; select the line instead";
    }
  });
})();
