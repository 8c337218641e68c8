// The page: ask, show the question with its evidence, take an answer, show what it finds.

import { Problem, ask, call, useKey } from "./api.js";
import { EXAMPLE, count, fill, make, passageItem, readPassages } from "./show.js";

const $ = (id) => document.getElementById(id);
const form = $("ask");
let answer = null; // the last answer of /v1/clarify
let own = null; // the passages that it was asked over, null if the service retrieved them
let running = null; // AbortController of the request under way
let retry = null; // what "Use this key" and "Try again" do
let pinned = null; // the option whose evidence stays shown
let refined = null; // what the user said to the question, as feedback has it
let timer = 0;

const usesOwn = () => form.elements.source.value === "own";
const say = (text) => ($("status").textContent = text);

function showProblem(error) {
  clearInterval(timer);
  $("problem").hidden = true;
  if (error.status === 401) {
    $("key-form").hidden = false;
    say($("key").value ? "That key is not accepted." : "");
    $("key").focus();
    return;
  }
  const text = make("p");
  const button = make("button", "", "Try again");
  button.type = "button";
  button.addEventListener("click", () => {
    $("problem").hidden = true;
    retry?.();
  });
  const parts = [text, button];
  let left = error.wait ?? 0;
  const message = {
    rate_limited: "You are asking faster than this service allows.",
    queue_full: "The service is busy right now.",
  }[error.code] ?? error.message;
  const draw = () => {
    text.textContent = left > 0 ? `${message} You can try again in ${count(left, "second")}.` : message;
    button.disabled = left > 0;
  };
  draw();
  if (left > 0) {
    timer = setInterval(() => {
      left -= 1;
      // Screen readers hear the problem once, not every second of the countdown.
      if (left > 0) button.textContent = `Try again in ${left}`;
      else {
        button.textContent = "Try again";
        clearInterval(timer);
        draw();
      }
    }, 1000);
  }
  if (error.code === "no_index" || error.status === 409) {
    const paste = make("button", "", "Paste passages instead");
    paste.type = "button";
    paste.addEventListener("click", () => {
      $("problem").hidden = true;
      form.elements.source.value = "own";
      toggleOwn();
      $("own-text").focus();
    });
    parts[1] = paste;
  }
  if (error.requestId) parts.push(make("p", "hint", `Request ${error.requestId}`));
  fill($("problem"), ...parts);
  $("problem").hidden = false;
  say("");
}

/** Run one request at a time: a new one stops the one before. */
async function run(busyText, work) {
  running?.abort();
  const mine = (running = new AbortController());
  clearInterval(timer);
  $("problem").hidden = true;
  $("key-form").hidden = true;
  $("stop").hidden = false;
  $("go").hidden = true;
  document.body.setAttribute("aria-busy", "true");
  say(busyText);
  try {
    await work(mine.signal);
  } catch (error) {
    if (error.name === "AbortError") {
      if (running === mine) say("Stopped.");
    } else if (error instanceof Problem) showProblem(error);
    else {
      console.error(error);
      showProblem(new Problem(0, "page", "This page failed to show the answer. Try again."));
    }
  } finally {
    if (running === mine) {
      running = null;
      const held = document.activeElement === $("stop");
      $("stop").hidden = true;
      $("go").hidden = false;
      if (held) $("go").focus();
      document.body.removeAttribute("aria-busy");
    }
  }
}

async function submit() {
  const query = $("query").value.trim();
  const passages = usesOwn() ? readPassages($("own-text").value) : null;
  const problem = !query ? "Write what you are looking for." : passages && !passages.length ? "Paste at least one passage." : "";
  $("query-problem").hidden = !problem;
  $("query-problem").textContent = problem;
  $("query").setAttribute("aria-invalid", String(Boolean(problem && !query)));
  if (problem) {
    (query ? $("own-text") : $("query")).focus();
    return;
  }
  retry = submit;
  await run(passages ? "Reading your passages and writing a question …" : "Looking for passages and writing a question …",
    async (signal) => {
      clear();
      let drawn = "";
      const body = passages ? { query, passages } : { query };
      const found = await ask(body, signal, {
        token(text) {
          drawn += text;
          $("result").hidden = false;
          $("asked").classList.add("growing");
          $("question").textContent = drawn;
        },
        retract() {
          drawn = "";
          $("asked").classList.add("retracted");
          say("That question failed its check against the passages. Trying others …");
        },
      });
      answer = found;
      own = passages;
      showAnswer();
    });
}

function clear() {
  answer = refined = pinned = null;
  $("asked").classList.remove("growing", "retracted");
  for (const id of ["result", "refined", "reason", "free", "details", "sources"]) $(id).hidden = true;
  $("asked").hidden = false;
  for (const id of ["question", "options", "passages", "facts", "hits", "legend"]) fill($(id));
}

function evidenceOf(options) {
  const spans = new Map();
  options.forEach((option, number) => {
    for (const e of option.evidence) {
      if (!spans.has(e.passage_id)) spans.set(e.passage_id, []);
      spans.get(e.passage_id).push({ field: e.field, start: e.start, end: e.end, option: number });
    }
  });
  return spans;
}

function showAnswer() {
  const asked = answer.question !== null;
  $("asked").classList.remove("growing", "retracted");
  $("asked").classList.toggle("refusal", !asked);
  $("question").textContent = asked ? answer.question : "No question this time";
  $("reason").hidden = !answer.reason;
  $("reason").textContent = answer.reason ? `${answer.reason[0].toUpperCase()}${answer.reason.slice(1)}.` : "";
  fill($("options"), ...answer.options.map(optionItem));
  const spans = evidenceOf(answer.options);
  fill($("passages"), ...answer.passages.map((p, i) => {
    const item = passageItem(p, spans.get(p.id) ?? [], `Passage ${i + 1}`);
    item.id = `passage-${i}`;
    return item;
  }));
  $("sources-title").textContent = own ? "Your passages" : "Passages that were found";
  $("legend").textContent = !answer.passages.length ? "None."
    : asked ? "Point at an option, reach it with Tab, or press “Where?” to see what backs it." : "";
  $("details").firstElementChild.textContent = asked ? "How this question came about" : "What was tried";
  showFacts();
  $("free").hidden = !asked;
  $("details").hidden = $("sources").hidden = $("result").hidden = false;
  const supported = answer.options.filter((o) => o.supported).length;
  say(asked ? `The question is ready, with ${count(supported, "option")}.` : "No question was asked; the reason is below.");
  $("question").focus();
}

function optionItem(option, number) {
  const places = [...new Set(option.evidence.map((e) => placeOf(e.passage_id)))];
  const note = option.supported ? `Backed by ${places.join("; ")}` : "No passage says this";
  if (!option.supported || answer.question === null) {
    return make("li", "rejected", make("span", "text", option.text), make("span", "note", note));
  }
  const pick = make("button", "pick", make("span", "text", option.text));
  pick.type = "button";
  const described = make("span", "note", note);
  described.id = `note-${number}`;
  pick.setAttribute("aria-describedby", described.id);
  pick.addEventListener("click", () => refine(option.text, option.text));
  const pin = make("button", "pin quiet", "Where?");
  pin.type = "button";
  pin.setAttribute("aria-pressed", "false");
  pin.setAttribute("aria-label", `Where do the passages say: ${option.text}`);
  pin.addEventListener("click", () => {
    pinned = pinned === number ? null : number;
    for (const other of document.querySelectorAll(".pin")) other.setAttribute("aria-pressed", "false");
    pin.setAttribute("aria-pressed", String(pinned === number));
    light(pinned, true);
  });
  const item = make("li", "", pick, described, pin);
  for (const [on, off] of [["pointerenter", "pointerleave"], ["focusin", "focusout"]]) {
    item.addEventListener(on, () => light(number, on === "focusin"));
    item.addEventListener(off, () => light(pinned, false));
  }
  return item;
}

/** "passage 2, Mercury": titles alone may be equal. */
function placeOf(id) {
  const index = answer.passages.findIndex((p) => p.id === id);
  const title = answer.passages[index].title;
  return `passage ${index + 1}${title && `, ${title}`}`;
}

/** Show the evidence of one option (null: of none). `scroll` brings its first passage into view where there is room. */
function light(number, scroll) {
  let first = null;
  for (const mark of $("passages").querySelectorAll("mark")) {
    const on = number !== null && mark.dataset.options.split(" ").includes(String(number));
    mark.classList.toggle("on", on);
    if (on) first ??= mark;
  }
  for (const item of $("passages").children) item.classList.toggle("lit", Boolean(item.querySelector("mark.on")));
  for (const [i, item] of [...$("options").children].entries()) item.classList.toggle("lit", i === number);
  // On a narrow screen the passages lie below the options: only the button that asks "Where?" moves the page there.
  const narrow = matchMedia("(max-width: 55rem)").matches;
  if (first && (scroll ? !narrow || number === pinned : !narrow)) {
    first.closest("li").scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  }
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function showFacts() {
  const percent = answer.faithfulness === null ? "no option to check" : `${Math.round(answer.faithfulness * 100)} %`;
  const rows = [
    ["Support of the options", percent],
    ["Questions tried", answer.candidates.length ? answer.candidates.join("\n") : "none"],
    ["Model", answer.model],
    ["Time", `${(answer.timings.total ?? 0).toFixed(1)} s`],
    ["Request", answer.request_id],
  ];
  fill($("facts"), ...rows.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
}

async function refine(said, option) {
  const body = { query: answer.query, question: answer.question, answer: said };
  if (own) body.passages = own;
  retry = () => refine(said, option);
  await run("Searching again …", async (signal) => {
    const found = await call("v1/refine", body, signal);
    const picked = found.option ?? option;
    refined = { ...(picked && { option: picked }), ...(option === null && { answer: said }) };
    showRefined(found);
    store(refined, false);
  });
}

function showRefined(found) {
  $("refined-title").textContent = found.rewritten_query;
  $("refined-note").hidden = !found.note;
  $("refined-note").textContent = found.note ? `${found.note[0].toUpperCase()}${found.note.slice(1)}.` : "";
  fill($("hits"), ...found.hits.map((hit) => passageItem(hit.passage, [], `Passage ${hit.rank}`)));
  if (!found.hits.length) fill($("hits"), make("li", "passage", "Nothing matches this search."));
  $("feedback-status").textContent = "";
  for (const button of $("feedback").querySelectorAll("button")) button.disabled = button.hidden = false;
  $("asked").hidden = $("sources").hidden = true;
  $("refined").hidden = false;
  $("query").value = answer.query;
  $("again").dataset.query = found.rewritten_query;
  say(`${count(found.hits.length, "passage")} for “${found.rewritten_query}”.`);
  $("refined-title").focus();
}

/** Report what came of the question. The pick itself is reported silently, an answer to "Did it help?" is confirmed. */
async function store(what, confirm) {
  const body = {
    ...what, feedback_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`,
    request_id: answer.request_id, query: answer.query, question: answer.question, passages: answer.passages,
    candidates: answer.candidates, model: answer.model,
  };
  const status = $("feedback-status");
  try {
    await call("v1/feedback", body);
    if (confirm) status.textContent = "Thank you, that is stored.";
  } catch (error) {
    if (error.status === 409) {
      for (const button of $("feedback").querySelectorAll("button")) button.hidden = true;
      status.textContent = "This service stores no feedback.";
      return;
    }
    status.textContent = confirm ? `That was not stored: ${error.message}` : "";
    for (const button of $("feedback").querySelectorAll("button")) button.disabled = false;
  }
}

function toggleOwn() {
  $("own").hidden = !usesOwn();
}

function countOwn() {
  const number = readPassages($("own-text").value).length;
  $("own-count").textContent = number ? `${count(number, "passage")}.` : "No passage yet.";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
for (const radio of form.elements.source) radio.addEventListener("change", toggleOwn);
$("own-text").addEventListener("input", countOwn);
$("example").addEventListener("click", () => {
  $("own-text").value = EXAMPLE;
  if (!$("query").value.trim()) $("query").value = "mercury";
  countOwn();
  $("query").focus();
});
$("stop").addEventListener("click", () => running?.abort());
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value.trim());
  retry?.();
});
$("free").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = $("free-text").value.trim();
  if (said) refine(said, null);
});
$("feedback").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  for (const other of $("feedback").querySelectorAll("button")) other.disabled = true;
  store({ ...refined, helpful: button.value === "yes" }, true);
});
$("again").addEventListener("click", () => {
  $("query").value = $("again").dataset.query;
  submit();
});
$("back").addEventListener("click", () => {
  $("refined").hidden = true;
  $("asked").hidden = $("sources").hidden = false;
  say("");
  $("question").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (running) running.abort();
  else if (pinned !== null) {
    pinned = null;
    for (const pin of document.querySelectorAll(".pin")) pin.setAttribute("aria-pressed", "false");
    light(null, false);
  }
});
toggleOwn();
countOwn();
