// Talks to the service. Everything that comes back is data: it is shown with textContent and never read as HTML.

let key = "";

/** Send this API key with every request from now on; it is kept in memory only. */
export function useKey(value) {
  key = value;
}

/** What the service, or the way to it, said instead of an answer. */
export class Problem extends Error {
  constructor(status, code, message, wait = 0, requestId = "") {
    super(message);
    Object.assign(this, { status, code, wait, requestId });
  }
}

async function send(path, body, signal) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The service cannot be reached. Check that it runs, then try again.");
  }
  if (response.ok) return response;
  const text = await response.text();
  let said = {};
  try {
    said = JSON.parse(text).error ?? {};
  } catch {
    // A proxy in between answers with a page of its own.
  }
  const wait = Number.parseInt(response.headers.get("retry-after") ?? "", 10) || 0;
  const message = said.message ? sentence(said.message) : `The service answered with status ${response.status}.`;
  throw new Problem(response.status, said.code ?? "", message, wait, said.request_id ?? "");
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** Call an endpoint that answers with JSON. */
export async function call(path, body, signal) {
  return (await send(path, body, signal)).json();
}

/**
 * Ask for a question as a stream; return the whole answer.
 * `on.token(text)` is called with each piece of it, `on.retract(reason)` if the first question failed its check.
 */
export async function ask(body, signal, on) {
  const response = await send("v1/clarify", { ...body, stream: true }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, "broken", "The connection broke off before the answer was complete. Try again.");
    }
    if (piece.done) throw new Problem(0, "broken", "The answer ended before it was complete. Try again.");
    buffer += piece.value;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const block = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const line = /^data: (.*)$/m.exec(block)?.[1];
      if (!name || line === undefined) continue;
      const data = JSON.parse(line);
      if (name === "result") return data;
      if (name === "error") {
        const said = data.error ?? data;
        throw new Problem(said.status ?? 500, said.code ?? "", sentence(said.message ?? "something went wrong"),
          said.retry_after ?? 0, said.request_id ?? "");
      }
      on[name]?.(name === "token" ? data.text : data.reason);
    }
  }
}
