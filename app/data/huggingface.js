// Public datasets through the Hugging Face datasets server, page by page
// (https://huggingface.co/docs/dataset-viewer).
//
//   new HuggingFace(base)
//   splits(dataset, {signal})                           [{config, split}]
//   columns({dataset, config, split}, {signal})         {all: [name], text: [name]}, in their order
//   new Loading({server, dataset, config, split, column, separator, limit, progress})
//     run()      goes on from where it is until `limit` bytes or the last row; throws DatasetError
//                and keeps what came: run() again goes on
//     cancel()   ends it: run() throws a DatasetError of the kind "cancelled"
//     blob(), rows, bytes, total, cut, shortened, empty, partial, atLastPage, lastPage
//                what came: texts joined with `separator`, rows read, UTF-8 bytes, rows there are,
//                cells that the server shortened, cells shortened here, rows without text, whether
//                the server has only a part of the dataset, whether it ended at the limit of
//                requests, and that in a sentence
//   progress(loading, sentence)   after each page, and before and after each wait
//
// Whoever answers is unknown, so what an answer takes is bounded: its bytes (it is read as a
// stream), its nesting, its names, a cell, the number of requests. The limits are below.
//
// Every failure is a DatasetError of one sentence; `kind` says which: offline, dropped, slow, rate,
// gated, dataset, split, column, server, answer, empty, cancelled. What a server says is quoted in
// it, never more than QUOTED characters.

import { LimitError, parse } from "../worker/bounded_json.js";
import { readAll, TooLarge } from "../worker/bounded_stream.js";
import { isText, textOf, typeName } from "./cells.js";

export const BASE = "https://datasets-server.huggingface.co";
const PAGE = 100; // rows; the server gives no more at once
const PATIENCE = 40_000; // ms for one answer
const TRIES = 5; // for a page, where the server says that it is busy
const FIRST_WAIT = 1000,
  LONGEST_WAIT = 60_000; // ms; doubled from try to try, unless the server says how long
const BUSY = new Set([429, 500, 502, 503, 504]);
const QUOTED = 160;
const MOST_ANSWER = 32e6; // bytes of an answer, unpacked; the server itself gives at most 10 MB
const MOST_CELL = 10e6; // characters of a cell's text; what is longer is shortened
const MOST_NAMES = 50_000, // splits, or columns; facebook/flores has 40,000 splits
  LONGEST_NAME = 500;
export const MOST_PAGES = 10_000; // requests for rows: a million rows
export const MOST_EMPTY = 500; // of them in a row that brought no text

// For tests: ?datasets= is another server with the same interface, on this machine only.
export function datasetsServer(parameters) {
  const address = parameters.get("datasets");
  return address && /^http:\/\/(127\.0\.0\.1|localhost):\d+$/.test(address) ? address : undefined;
}

export class DatasetError extends Error {
  constructor(kind, message, more = {}) {
    super(message);
    Object.assign(this, { kind }, more);
  }
}

const count = (number) => number.toLocaleString("en");

export class HuggingFace {
  constructor(base = BASE) {
    this.base = base;
    this.name = base === BASE ? "Hugging Face" : base;
  }

  async splits(dataset, { signal } = {}) {
    const answer = await this.ask("/splits", { dataset }, { signal, waits: () => {} });
    const found = Array.isArray(answer.splits)
      ? answer.splits.filter((one) => isName(one?.config) && isName(one?.split))
      : null;
    if (!found || found.length > MOST_NAMES) throw this.unexpected("a list of splits");
    if (!found.length)
      throw new DatasetError(
        "empty",
        `The dataset ${dataset} has no splits that ${this.name} can show: choose another one.`,
      );
    return found.map(({ config, split }) => ({ config, split }));
  }

  async columns({ dataset, config, split }, { signal } = {}) {
    return columnsOf(
      this.checked(
        await this.ask("/rows", { dataset, config, split, offset: 0, length: 1 }, { signal, waits: () => {} }),
      ),
    );
  }

  // The rows from `offset` on.
  async rows(place, offset, length, options) {
    const answer = this.checked(await this.ask("/rows", { ...place, offset, length }, options));
    const strange =
      answer.rows.length > length ||
      answer.num_rows_total < offset + answer.rows.length ||
      answer.rows.some(
        (entry, i) => !entry || typeof entry.row !== "object" || !entry.row || entry.row_idx !== offset + i,
      );
    if (strange) throw this.unexpected(`rows ${count(offset)} to ${count(offset + length - 1)}`);
    return answer;
  }

  checked(answer) {
    const { features, rows, num_rows_total: total } = answer;
    if (!Array.isArray(features) || features.length > MOST_NAMES || !Array.isArray(rows)) throw this.unexpected("rows");
    if (!Number.isSafeInteger(total) || total < 0)
      throw this.unexpected(`the number of rows (it says ${String(total).slice(0, 30)})`);
    return answer;
  }

  unexpected(wanted) {
    return new DatasetError(
      "answer",
      `${this.name} did not answer with ${wanted}: its interface may have changed. Try another dataset, or a file of your own.`,
    );
  }

  // One question; waits and asks again while the server is busy. waits(sentence or ""): what it
  // waits for.
  async ask(path, parameters, { signal, waits }) {
    const url = `${this.base}${path}?${new URLSearchParams(parameters)}`;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.once(url, signal);
      if (answer.ok) return answer.content;
      if (!BUSY.has(answer.status) || attempt === TRIES) throw this.refused(answer, parameters);
      const wait = answer.wait ?? FIRST_WAIT * 2 ** (attempt - 1);
      if (wait > LONGEST_WAIT) throw this.refused(answer, parameters);
      const why = answer.status === 429 ? "is limiting requests (429)" : `is busy (${answer.status})`;
      waits(
        `${this.name} ${why}: retrying in ${Math.max(1, Math.round(wait / 1000))} s, try ${attempt + 1} of ${TRIES}`,
      );
      await pause(wait, signal);
      waits("");
    }
  }

  async once(url, signal) {
    const late = AbortSignal.timeout(PATIENCE);
    let reached = false;
    try {
      const response = await fetch(url, {
        signal: signal ? AbortSignal.any([signal, late]) : late,
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      reached = true;
      const bytes = await readAll(response.body ?? new Blob().stream(), MOST_ANSWER);
      const content = this.parsed(new TextDecoder().decode(bytes));
      if (response.ok && (!content || typeof content !== "object" || Array.isArray(content)))
        throw this.unexpected("JSON");
      return {
        ok: response.ok,
        status: response.status,
        content,
        wait: waitOf(response),
        code: response.headers.get("X-Error-Code") ?? "",
      };
    } catch (error) {
      if (error instanceof DatasetError) throw error;
      if (error instanceof TooLarge)
        throw new DatasetError(
          "answer",
          `${this.name} sent an answer of more than ${MOST_ANSWER / 1e6} MB, the most that this page reads: choose another dataset, or use a file of your own.`,
          { code: "AnswerTooBig" },
        );
      if (signal?.aborted) throw new DatasetError("cancelled", "Cancelled.");
      if (late.aborted)
        throw new DatasetError("slow", `${this.name} did not answer within ${PATIENCE / 1000} s: try again later.`);
      if (!navigator.onLine)
        throw new DatasetError(
          "offline",
          "This computer is offline: connect it to the network and try again. The texts at the top of the list need no network.",
        );
      if (reached) throw new DatasetError("dropped", `The connection to ${this.name} was lost during an answer.`);
      throw new DatasetError(
        "offline",
        `${this.name} could not be reached: there is no network, something blocks ${new URL(url).host}, or the server refuses more requests. Try again later.`,
      );
    }
  }

  // The value of an answer's JSON, or null where it is none.
  parsed(text) {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof LimitError)) return null;
      throw new DatasetError(
        "answer",
        `${this.name} answered with JSON that ${error.message}: choose another dataset, or use a file of your own.`,
      );
    }
  }

  // The error of an answer that is a refusal.
  refused({ status, content, wait, code }, { dataset }) {
    const said =
      typeof content?.error === "string" && content.error ? ` Its message: “${content.error.slice(0, QUOTED)}”` : "";
    const more = { status, code, said };
    if (status === 429) {
      const pause = wait
        ? `in ${wait > 90_000 ? `${Math.ceil(wait / 60_000)} min` : `${Math.ceil(wait / 1000)} s`}`
        : "in a few minutes";
      return new DatasetError(
        "rate",
        `${this.name} limits the number of requests, and the limit is reached (429): continue ${pause}.${said}`,
        more,
      );
    }
    if (status === 401 || status === 403) {
      return new DatasetError(
        "gated",
        `${this.name} does not share ${dataset} (${status}): it is gated, private, or does not exist. ` +
          `Check the spelling, or choose another one.${said}`,
        more,
      );
    }
    if (status === 404)
      return new DatasetError(
        "dataset",
        `${this.name} has no dataset ${dataset} that it can show (404): check the spelling, owner/name.${said}`,
        more,
      );
    return new DatasetError(
      "server",
      `${this.name} cannot show ${dataset} (${status}${code ? `, ${code.slice(0, 60)}` : ""}): try again later, or choose another one.${said}`,
      more,
    );
  }
}

export class Loading {
  constructor({ server, dataset, config, split, column, separator = "\n\n", limit, progress = () => {} }) {
    Object.assign(this, { server, place: { dataset, config, split }, column, separator, limit, progress });
    Object.assign(this, {
      parts: [],
      rows: 0,
      bytes: 0,
      total: null,
      cut: 0,
      empty: 0,
      partial: false,
      shortened: 0,
      pages: 0,
      pagesWithoutText: 0, // the last ones
      length: PAGE,
      running: false,
    });
  }

  get complete() {
    return this.bytes >= this.limit || (this.total !== null && this.rows >= this.total) || this.atLastPage;
  }

  // Whether no more is requested, whatever the server says there is.
  get atLastPage() {
    return this.pages >= MOST_PAGES || this.pagesWithoutText >= MOST_EMPTY;
  }

  // Why it ended there, in a sentence.
  get lastPage() {
    return this.pages >= MOST_PAGES
      ? `Loading stopped after ${count(MOST_PAGES)} requests, the maximum.`
      : `Loading stopped because the last ${count(MOST_EMPTY)} requests returned no text.`;
  }

  async run() {
    if (this.running) return;
    this.running = true;
    this.abort = new AbortController();
    try {
      while (!this.complete) await this.page();
      if (!this.bytes) {
        const { dataset, split } = this.place;
        const what = this.total
          ? `The column ${this.column} of ${dataset} holds no text in its ${count(this.rows)} rows`
          : `The split ${split} of ${dataset} is empty: it has no rows`;
        throw new DatasetError("empty", `${what}. Choose another ${this.total ? "column" : "one"}.`);
      }
    } finally {
      this.running = false;
    }
  }

  cancel() {
    this.abort?.abort();
  }

  async page() {
    let answer;
    this.pages++;
    try {
      answer = await this.server.rows(this.place, this.rows, this.length, {
        signal: this.abort.signal,
        waits: (sentence) => this.progress(this, sentence),
      });
    } catch (error) {
      // rows of book length: fewer at once
      if (/TooBig/i.test(error.code ?? "") && this.length > 1) return void (this.length >>= 1);
      throw await this.named(error);
    }
    const { all, text } = columnsOf(answer);
    if (!text.includes(this.column)) throw this.noColumn(all, text, answer.features);
    const { rows, num_rows_total: total } = answer;
    if (!rows.length && this.rows < total) throw this.server.unexpected(`row ${count(this.rows)} of ${count(total)}`);
    [this.total, this.partial] = [total, answer.partial === true];
    const before = this.bytes;
    for (const { row, truncated_cells: cut } of rows) {
      this.rows++;
      if (Array.isArray(cut) && cut.includes(this.column)) this.cut++;
      this.take(textOf(row[this.column]));
      if (this.bytes >= this.limit) break;
    }
    this.pagesWithoutText = this.bytes > before ? 0 : this.pagesWithoutText + 1;
    this.progress(this, "");
  }

  take(text) {
    if (!text) return void this.empty++;
    if (text.length > MOST_CELL) {
      this.shortened++;
      text = text.slice(0, MOST_CELL);
    }
    let bytes = new TextEncoder().encode((this.parts.length ? this.separator : "") + text);
    const room = this.limit - this.bytes;
    if (bytes.length > room) {
      let end = room;
      while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--; // not within a character
      bytes = bytes.subarray(0, end);
      this.bytes = this.limit;
    } else this.bytes += bytes.length;
    this.parts.push(bytes);
  }

  blob() {
    return new Blob(this.parts, { type: "text/plain" });
  }

  noColumn(all, text, features) {
    const { dataset } = this.place,
      type = features.find((one) => one?.name === this.column)?.type,
      has = all.includes(this.column)
        ? `the column ${this.column} holds no text (its type is ${typeName(type).slice(0, QUOTED)})`
        : `there is no column ${this.column}`;
    const choice = text.length
      ? `the columns with text are ${text.slice(0, 12).join(", ")}`
      : "it has no column with text";
    return new DatasetError("column", `In ${dataset} ${has}: ${choice}.`, { columns: text });
  }

  // A 404 may mean the dataset, its config or its split: /splits tells which. A break in the middle
  // says how far it came.
  async named(error) {
    const { dataset, config, split } = this.place;
    if (this.rows && (error.kind === "dropped" || error.kind === "offline" || error.kind === "slow")) {
      const kind = error.kind === "offline" && navigator.onLine ? "dropped" : error.kind;
      return new DatasetError(
        kind,
        `After ${count(this.rows)} rows: ${error.message.replace(/^Th/, "th")} You can keep these rows.`,
      );
    }
    if (error.kind !== "dataset") return error;
    try {
      const splits = await this.server.splits(dataset, { signal: this.abort.signal });
      const configs = [...new Set(splits.map((one) => one.config))],
        own = splits.filter((one) => one.config === config).map((one) => one.split);
      if (!own.length)
        return new DatasetError("split", `${dataset} has no config ${config}: it has ${listed(configs)}.`, { splits });
      if (!own.includes(split))
        return new DatasetError("split", `${dataset} (${config}) has no split ${split}: it has ${listed(own)}.`, {
          splits,
        });
    } catch (other) {
      return other;
    }
    return new DatasetError(
      "server",
      `${this.server.name} has not prepared the rows of ${dataset} (404): try again later, or choose another one.${error.said}`,
    );
  }
}

function columnsOf({ features }) {
  const named = features.filter((feature) => isName(feature?.name));
  return { all: named.map(({ name }) => name), text: named.filter(({ type }) => isText(type)).map(({ name }) => name) };
}

const listed = (names) => names.slice(0, 12).join(", ") + (names.length > 12 ? ` and ${names.length - 12} more` : "");

const isName = (name) => typeof name === "string" && name.length <= LONGEST_NAME;

// ms that the server asks to wait (Retry-After: seconds or a date), or null.
function waitOf(response) {
  const header = response.headers.get("Retry-After");
  if (!header) return null;
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = () => (clearTimeout(timer), reject(new DatasetError("cancelled", "Cancelled.")));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", end), resolve()), ms);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
  });
}
