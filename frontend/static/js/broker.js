// The broker as this page sees it: every call has a time limit and ends in a value, never in an exception.

// The broker itself gives up after 30 s; its explanation is worth waiting for.
const ANSWER_LIMIT = 35_000;
const PROBE_LIMIT = 4_000;
const SHOWN_HEADERS = ["content-type", "content-length", "retry-after", "x-request-id", "x-trace-id"];

export class Broker {
  constructor(url) {
    this.url = url;
  }

  send(request) {
    return this.#call(request, ANSWER_LIMIT);
  }

  record(id) {
    return this.#call({ method: "GET", path: `/api/v1/logs/${encodeURIComponent(id)}` }, PROBE_LIMIT);
  }

  readiness() {
    return this.#call({ method: "GET", path: "/readyz" }, PROBE_LIMIT);
  }

  async #call({ method, path, body }, limit) {
    const started = performance.now();
    const options = { method, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(limit) };
    if (body !== undefined) {
      options.headers = { "Content-Type": "application/json" };
      options.body = JSON.stringify(body);
    }
    try {
      const response = await fetch(this.url + path, options);
      const text = await response.text();
      return { reply: read(response, text), trouble: null, durationMs: performance.now() - started };
    } catch (error) {
      return { reply: null, trouble: this.#explain(error, limit), durationMs: performance.now() - started };
    }
  }

  #explain(error, limit) {
    if (error.name === "TimeoutError") return `No answer within ${limit / 1000} seconds.`;
    // A refused connection and a refused origin look alike to a script: the browser's console tells them apart.
    return `No answer from ${this.url}. Either the broker is down, or it does not allow calls from ${location.origin}.`;
  }
}

function read(response, text) {
  const shown = SHOWN_HEADERS.filter((name) => response.headers.has(name));
  const body = parsed(text);
  return {
    status: response.status,
    reason: response.statusText,
    ok: response.ok && body?.error !== true,
    headers: shown.map((name) => [name, response.headers.get(name)]),
    requestId: response.headers.get("x-request-id"),
    body,
    text,
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The original's envelope says `message`, problem+json says `detail`.
export function messageOf(reply) {
  return reply.body?.message ?? reply.body?.detail ?? (reply.body === undefined ? reply.text.slice(0, 300) : "");
}
