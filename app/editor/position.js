// Questions to the running interpreter that the editor never waits for.
//
// While a model trains, Python answers between two steps; in one long call it does not answer at
// all. So a question has a patience: when that is over the editor goes on without (null); what
// comes later is of use only where nothing has been typed since. While a question of one kind is
// unanswered no other of that kind is sent: a busy Python is not buried in them.
//
// While `held` is set Python is asked nothing: the text came with a link, and reading it could end
// the interpreter that trains. The page's own parser checks it instead (diagnostics.js).

export class Asking {
  constructor(session) {
    this.session = session;
    this.held = false;
    // kind of a question that Python still has to answer -> {args, answer: promise of it or null}
    this.open = new Map();
  }

  // The answer to `name` with `args`, or null: too late, an error, no session, a held text, or busy
  // with an earlier one.
  async ask(name, args, patience = 300) {
    if (!this.session?.request || this.held || this.open.has(name)) return null;
    const answer = Promise.resolve()
      .then(() => this.session.request(name, args))
      .catch(() => null)
      .finally(() => this.open.delete(name));
    this.open.set(name, { args, answer });
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, patience, null)));
    const first = await Promise.race([answer, late]);
    clearTimeout(timer);
    return first ?? null;
  }
}

// A place as Python counts: lines from 1, columns in characters (JavaScript counts in units of
// UTF-16).
export function place(state, position) {
  const line = state.doc.lineAt(position);
  return { line: line.number, column: [...line.text.slice(0, position - line.from)].length };
}

// And back: the position of column `column` (characters) in a line's text.
export function position(line, column) {
  return line.from + [...line.text].slice(0, Math.max(0, column)).join("").length;
}
