// Makes elements out of answers. Text goes in as text nodes only, so nothing in a passage is ever run or laid out as HTML.

/** Make an element: `make("p", "hint", "text", child, ...)`. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Replace everything inside an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children);
}

/**
 * Put `text` into `element`, with the parts that are evidence in <mark>.
 * Spans count characters as Python does (code points); they may overlap, so a mark can belong to several options.
 */
export function marked(element, text, spans) {
  const characters = Array.from(text);
  spans = joined(spans, characters);
  const borders = [...new Set([0, characters.length, ...spans.flatMap((s) => [s.start, s.end])])]
    .filter((b) => b >= 0 && b <= characters.length)
    .sort((a, b) => a - b);
  for (let i = 0; i + 1 < borders.length; i++) {
    const [start, end] = [borders[i], borders[i + 1]];
    const part = characters.slice(start, end).join("");
    const owners = [...new Set(spans.filter((s) => s.start <= start && s.end >= end).map((s) => s.option))];
    if (!owners.length) {
      element.append(part);
      continue;
    }
    const mark = make("mark", "", part);
    mark.dataset.options = owners.join(" ");
    element.append(mark);
  }
  return element;
}

/** Join spans of one option that only white space keeps apart, so that a phrase is one mark. */
function joined(spans, characters) {
  const kept = [];
  for (const span of [...spans].sort((a, b) => a.option - b.option || a.start - b.start)) {
    const last = kept.at(-1);
    const blank = last && last.option === span.option && !characters.slice(last.end, span.start).join("").trim();
    if (blank) last.end = Math.max(last.end, span.end);
    else kept.push({ ...span });
  }
  return kept;
}

/** Make the list item of a passage; `spans` are {field, start, end, option} of its evidence. */
export function passageItem(passage, spans, fallback) {
  const of = (field) => spans.filter((s) => s.field === field);
  const title = make("h3", passage.title ? "titled" : "");
  if (passage.title) marked(title, passage.title, of("title"));
  else title.append(fallback);
  const item = make("li", "passage", title);
  item.tabIndex = -1;
  for (const [field, text] of [["types", (passage.types ?? []).join(", ")], ["description", passage.description ?? ""]]) {
    if (text) item.append(marked(make("p", "kind"), text, of(field)));
  }
  if (passage.text) item.append(marked(make("p", "text"), passage.text, of("text")));
  return item;
}

/** Cut pasted text into passages: an empty line ends one, a first line of several is the title. */
export function readPassages(text) {
  return text
    .split(/\r?\n[ \t]*(?:\r?\n[ \t]*)+/)
    .map((block) => block.trim())
    .filter(Boolean)
    .map((block, number) => {
      const lines = block.split(/\r?\n/);
      const titled = lines.length > 1 && lines[0].trim().length <= 150;
      return {
        id: `p${number + 1}`,
        title: titled ? lines[0].trim() : "",
        text: (titled ? lines.slice(1) : lines).join(" ").trim(),
      };
    });
}

/** "1 passage", "2 passages". */
export function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

export const EXAMPLE = `Mercury (planet)
Mercury is the smallest planet in the Solar System and the one closest to the Sun. A year there has 88 days.

Mercury (element)
Mercury is a chemical element, the only metal that is liquid at room temperature. It was used in thermometers.

Mercury (mythology)
Mercury is a Roman god, the messenger of the gods and the patron of merchants and travellers.`;
