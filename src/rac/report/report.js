"use strict";
(function () {
  const holder = document.getElementById("report-data");
  const cards = document.getElementById("cards");
  if (!holder || !cards) return;
  const data = JSON.parse(holder.textContent);
  const queries = new Map(data.queries.map((q) => [q.id, q]));
  const metrics = new Map(data.metrics.map((m) => [m.name, m]));
  const PAGE = 20;
  let shown = PAGE;

  // Every text enters the page through textContent: nothing from the data is ever parsed as HTML.
  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function number(value, metric) {
    if (value === null || value === undefined) return "unscored";
    if (metric && metric.percent) return (100 * value).toFixed(0) + " %";
    return Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1);
  }
  // The verdict decides between green and the others; how far an unsupported claim is from it decides the shade.
  function supportClass(claim) {
    if (claim.supported === null || claim.support === null) return "unscored";
    if (claim.supported) return "s3";
    return claim.support >= 0.5 ? "s2" : claim.support >= 0.25 ? "s1" : "s0";
  }
  function verdict(claim) {
    if (claim.supported === null) return "?";
    return claim.supported ? "✓" : "✗";
  }

  // Cut a text at all span borders; each piece knows the spans that cover it.
  function pieces(text, spans) {
    const borders = new Set([0, text.length]);
    for (const span of spans) { borders.add(span.start); borders.add(span.end); }
    const sorted = Array.from(borders).sort((a, b) => a - b);
    const found = [];
    for (let i = 0; i + 1 < sorted.length; i++) {
      const [start, end] = [sorted[i], sorted[i + 1]];
      found.push({ text: text.slice(start, end), over: spans.filter((s) => s.start <= start && end <= s.end) });
    }
    return found;
  }
  // Offsets count Unicode code points (as Python does); JavaScript counts UTF-16 units.
  function utf16(text, offset) {
    return Array.from(text).slice(0, offset).join("").length;
  }
  function toUnits(text, spans) {
    if (!/[\ud800-\udbff]/.test(text)) return spans;
    return spans.map((s) => Object.assign({}, s, { start: utf16(text, s.start), end: utf16(text, s.end) }));
  }

  function fillField(element, text, evidence) {
    for (const piece of pieces(text, toUnits(text, evidence))) {
      if (!piece.over.length) { element.append(piece.text); continue; }
      const mark = make("mark", "ev", piece.text);
      mark.dataset.claims = piece.over.map((s) => s.claim).join(" ");
      element.append(mark);
    }
  }

  function passageList(query, item) {
    const list = make("ol", "passages");
    list.tabIndex = 0;
    list.setAttribute("aria-label", "Passages");
    query.passages.forEach((passage, index) => {
      const row = make("li");
      row.dataset.passage = passage.id;
      const evidence = {};
      (item.claims || []).forEach((claim, j) => (claim.evidence || []).forEach((e) => {
        if (e.passage !== passage.id) return;
        const field = e.field || "text";
        (evidence[field] = evidence[field] || []).push({ start: e.start, end: e.end, claim: j });
      }));
      row.append(make("span", "num", "[" + (index + 1) + "]"));
      if (passage.title) { const b = make("b"); fillField(b, passage.title, evidence.title || []); row.append(b, " "); }
      const types = (passage.types || []).join(", ");
      if (types) {
        const span = make("span", "types");
        span.append("("); fillField(span, types, evidence.types || []); span.append(") ");
        row.append(span);
      }
      if (passage.description) {
        const span = make("span", "desc");
        fillField(span, passage.description, evidence.description || []); span.append(" ");
        row.append(span);
      }
      if (passage.gold) row.append(make("span", "tag", "gold passage"), " ");
      if (passage.text) { const span = make("span"); fillField(span, passage.text, evidence.text || []); row.append(span); }
      list.append(row);
    });
    if (!query.passages.length) list.append(make("li", "", "No passage: D is empty."));
    return list;
  }

  function card(item) {
    const query = queries.get(item.id);
    const claims = item.claims || [];
    const box = make("article", "card");
    const left = make("div"), right = make("div");
    box.append(left, right);
    left.append(make("h3", "", query.query));
    const who = make("div", "who");
    who.append(make("span", "tag system", item.system));
    for (const flag of item.flags || []) who.append(make("span", "tag flag", flag));
    const others = make("button", "", "all systems on this query");
    others.type = "button";
    others.addEventListener("click", () => showQuery(item.id));
    who.append(others);
    left.append(who);

    const passages = passageList(query, item);
    let pinned = null;
    const handles = claims.map(() => []);
    function light(j) {
      box.classList.toggle("active", j !== null);
      for (const mark of passages.querySelectorAll("mark")) {
        mark.classList.toggle("on", j !== null && mark.dataset.claims.split(" ").includes(String(j)));
      }
      for (const row of passages.children) {
        const lit = j !== null && row.querySelector("mark.on") !== null;
        row.classList.toggle("lit", lit);
        row.classList.toggle("dim", j !== null && !lit);
      }
      handles.forEach((list, k) => list.forEach((handle) => {
        handle.classList.toggle("pinned", k === pinned);
        if (handle.tagName === "BUTTON") handle.setAttribute("aria-pressed", String(k === pinned));
      }));
    }
    function pin(j) {
      pinned = pinned === j ? null : j;
      light(pinned);
      const lit = passages.querySelector("li.lit");
      if (pinned !== null && lit) passages.scrollTop = lit.offsetTop - passages.offsetTop;
    }
    function connect(element, j) {
      handles[j].push(element);
      element.addEventListener("mouseenter", () => light(j));
      element.addEventListener("mouseleave", () => light(pinned));
      element.addEventListener("focus", () => light(j));
      element.addEventListener("blur", () => light(pinned));
      element.addEventListener("click", () => pin(j));
    }
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { pinned = null; light(null); }
    });

    const question = make("p", item.question.trim() ? "question" : "question empty");
    if (!item.question.trim()) {
      question.textContent = item.reason ? "No question was asked: " + item.reason : "No question was asked.";
    } else {
      const spans = claims.map((c, j) => ({ start: c.start, end: c.end, claim: j }));
      for (const piece of pieces(item.question, toUnits(item.question, spans))) {
        if (!piece.over.length) { question.append(piece.text); continue; }
        const inner = piece.over.reduce((a, b) => (b.end - b.start < a.end - a.start ? b : a)).claim;
        const span = make("span", "claim " + supportClass(claims[inner]), piece.text);
        // The buttons below carry the keyboard; the words of the question are a second, mouse-only handle.
        connect(span, inner);
        question.append(span);
      }
    }
    left.append(question);
    if (claims.length) {
      const list = make("ul", "claims");
      claims.forEach((claim, j) => {
        const button = make("button", supportClass(claim));
        button.type = "button";
        const where = (claim.evidence || []).map((e) => query.passages.findIndex((p) => p.id === e.passage) + 1);
        const at = Array.from(new Set(where)).sort((a, b) => a - b).map((n) => "[" + n + "]").join(" ");
        button.append(
          make("span", "", verdict(claim)), make("span", "", claim.text), make("span", "kind", claim.kind.toLowerCase()),
          make("span", "num", (claim.support === null ? "unscored" : claim.support.toFixed(2)) + (at ? " " + at : ""))
        );
        const words = claim.supported === null ? "unscored" : claim.supported ? "supported" : "unsupported";
        button.setAttribute("aria-label", words + " claim: " + claim.text + (at ? ", passages " + at : ", no passage"));
        button.setAttribute("aria-pressed", "false");
        connect(button, j);
        const row = make("li");
        row.append(button);
        list.append(row);
      });
      left.append(list);
    } else if (item.question.trim()) {
      left.append(make("p", "hint", "This question makes no claim."));
    }
    if (item.reason && item.question.trim()) left.append(make("p", "hint", item.reason));
    const main = make("div", "scores"), rest = make("div", "scores");
    const group = metrics.has(data.headline) ? metrics.get(data.headline).group : null;
    for (const metric of data.metrics) {
      if (!(metric.name in item.scores)) continue;
      const own = group === null || metric.group === group;
      if (!own && item.scores[metric.name] === null) continue;
      const span = make("span", "", metric.label + " ");
      span.append(make("b", "", number(item.scores[metric.name], metric)));
      (own ? main : rest).append(span);
    }
    left.append(main);
    if (rest.children.length) {
      const more = make("details", "golds");
      more.append(make("summary", "", "all scores"), rest);
      left.append(more);
    }
    if ((query.golds || []).length) {
      const golds = make("details", "golds");
      golds.append(make("summary", "", query.golds.length === 1 ? "1 reference question" : query.golds.length + " reference questions"));
      const list = make("ul");
      for (const gold of query.golds) list.append(make("li", "", gold));
      golds.append(list);
      left.append(golds);
    }
    right.append(passages);
    return box;
  }

  const field = (id) => document.getElementById(id);
  const system = field("f-system"), flag = field("f-flag"), metric = field("f-metric"), order = field("f-order");
  const text = field("f-text"), status = field("status"), more = field("more"), form = field("filters");
  let onlyQuery = null;

  function option(select, value, label) {
    const element = make("option", "", label);
    element.value = value;
    select.append(element);
  }
  option(system, "", "all");
  for (const name of data.systems) option(system, name, name);
  option(flag, "", "any");
  const flags = new Map();
  for (const item of data.items) for (const f of item.flags || []) flags.set(f, (flags.get(f) || 0) + 1);
  for (const name of Array.from(flags.keys()).sort()) option(flag, name, name + " (" + flags.get(name) + ")");
  for (const m of data.metrics) if (data.items.some((i) => m.name in i.scores)) option(metric, m.name, m.label);
  if (metrics.has(data.headline)) metric.value = data.headline;
  const defaultMetric = metric.value;

  function selected() {
    const needle = text.value.trim().toLowerCase();
    const found = data.items.filter((item) => {
      if (onlyQuery !== null && item.id !== onlyQuery) return false;
      if (system.value && item.system !== system.value) return false;
      if (flag.value && !(item.flags || []).includes(flag.value)) return false;
      if (!needle) return true;
      const query = queries.get(item.id);
      return [query.query, item.question].concat(query.passages.map((p) => p.title || ""))
        .some((t) => t.toLowerCase().includes(needle));
    });
    if (order.value === "query" || onlyQuery !== null) return found;
    const chosen = metrics.get(metric.value);
    const sign = (order.value === "best" ? -1 : 1) * (chosen && chosen.better === "lower" ? -1 : 1);
    const value = (item) => {
      const v = item.scores[metric.value];
      return v === null || v === undefined ? null : v;
    };
    // Unscored questions come last in either order: they are neither good nor bad.
    return found.map((item, i) => [item, i]).sort(([a, i], [b, j]) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null) || i - j;
      return sign * (x - y) || i - j;
    }).map(([item]) => item);
  }
  function draw() {
    const found = selected();
    cards.replaceChildren(...found.slice(0, shown).map(card));
    const only = onlyQuery === null ? "" : " for one query (Reset shows all)";
    status.textContent = found.length
      ? "Showing " + Math.min(shown, found.length) + " of " + found.length + " questions" + only + "."
      : "No question fits these filters.";
    more.hidden = found.length <= shown;
  }
  function restart() { shown = PAGE; draw(); }
  function showQuery(id) {
    // Not form.reset(): its event, handled a moment later, would end the restriction to this query.
    system.value = flag.value = text.value = "";
    metric.value = defaultMetric;
    onlyQuery = id;
    restart();
    status.scrollIntoView({ block: "start" });
  }
  for (const control of [system, flag, metric, order]) control.addEventListener("change", restart);
  text.addEventListener("input", restart);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { onlyQuery = null; metric.value = defaultMetric; restart(); }, 0));
  more.addEventListener("click", () => {
    const next = cards.children.length;
    shown += PAGE;
    draw();
    const first = cards.children[next] && cards.children[next].querySelector("button");
    if (first) first.focus();
  });
  draw();
})();
