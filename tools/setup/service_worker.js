// The service worker of a static build. The build writes BUILD before this: {version, files: {path:
// {sha256, bytes, later}}, types, headers}.
//
// Two things. It sends the isolation headers with the page and its workers, where the host does
// not: threads need them. And it keeps the page's files, and answers from there: without a network
// too, and never with files of two versions.
//
// A cache is open to every script of the origin, so what comes out of one is checked each time
// before it is an answer or goes into another cache: its bytes against the build's checksum, and
// its headers against those that this worker writes. What differs is removed and fetched again.
//
// The first version takes hold at once, so that the page can be isolated, and keeps the files when
// the page asks ("keep"), after its start. A later one is whole before it waits, and takes over
// when the page says so or when no tab is left; only then the files before it go. Other origins,
// POST, and what is no file of the build (the other pages of a site) pass through untouched: with
// the isolation headers such a page would lose its pictures and frames from other origins.

const SCOPE = new URL(self.registration.scope);
const PREFIX = `tinygpt ${SCOPE.href} `; // other folders of the origin may have builds of their own
const CACHE = PREFIX + BUILD.version;
const CHECKSUM = "X-Checksum"; // of a kept file, for people: nothing is decided by it
const ANY = { ignoreVary: true, ignoreMethod: true };
const AT_ONCE = 6; // files on their way
// The start waits for these. They are read and checked when the page itself is requested, so that
// the checks of 15 MB (60 ms) run beside what comes before.
const FIRST = ["pyodide.asm.wasm", "pyodide.asm.mjs", "python_stdlib.zip"].map(
  (name) => `public/vendor/pyodide/${name}`,
);
const later = (path) => BUILD.files[path].later;
const address = (path) => new URL(path, SCOPE).href;

let keeping = null,
  problem = null;
const ahead = new Map(); // what `verified` will give for a path of FIRST, to the next request for it
const replaced = new Set(); // paths whose kept file was not the build's, in this worker's life

self.addEventListener("install", (event) => {
  if (self.registration.active) event.waitUntil(keep());
  else self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

// keep: starts keeping; answered at its end with `state()` and {digests: {path: SHA-256}}.
// state: answered with `state()`. replace: a waiting version takes over, unless other tabs are
// open: {others}.
self.addEventListener("message", (event) => {
  const {
    data,
    ports: [port],
  } = event;
  const act = {
    keep: async () => {
      await keep().catch(() => {});
      const digests = Object.fromEntries(Object.entries(BUILD.files).map(([path, { sha256 }]) => [path, sha256]));
      port?.postMessage({ ...(await state()), digests });
    },
    state: async () => port?.postMessage(await state()),
    replace: async () => {
      const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
      const others = open.filter(({ id, url }) => url.startsWith(SCOPE.href) && id !== event.source?.id).length;
      port?.postMessage({ others });
      if (!others) await self.skipWaiting();
    },
  }[data?.type];
  if (act) event.waitUntil(act());
});

// ---- keeping ----

function keep() {
  keeping ??= keepAll()
    .then(
      () => (problem = null),
      (error) => {
        problem = error.name === "QuotaExceededError" ? "this browser gives it too little storage" : error.message;
        throw error;
      },
    )
    .finally(() => (keeping = null));
  return keeping;
}

async function keepAll() {
  const cache = await caches.open(CACHE);
  const paths = Object.keys(BUILD.files).filter((path) => !later(path));
  const take = async () => {
    for (let path; (path = paths.shift()) !== undefined; )
      if (!(await verified(cache, path))) await keepOne(cache, path);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
}

async function keepOne(cache, path) {
  const url = address(path);
  const put = async (body) => {
    await cache.delete(url, ANY); // an entry with a Vary header would stay, and come first
    await cache.put(url, answerOf(body, path));
  };
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === CACHE) continue;
    const before = await (await caches.open(name)).match(url, ANY);
    const body = before?.headers.get(CHECKSUM) === BUILD.files[path].sha256 && (await before.arrayBuffer());
    if (body && (await matches(body, path))) return put(body);
  }
  const answer = await fetch(url, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${path || "index.html"} could not be fetched (${answer.status})`);
  const body = await answer.arrayBuffer();
  if (!(await matches(body, path)))
    throw new Error(`${path || "index.html"} on the host is not the file of this version`);
  await put(body);
}

async function matches(body, path) {
  const { sha256, bytes } = BUILD.files[path];
  if (body.byteLength !== bytes) return false;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

// What is kept under the path, where it is what this worker put there: {kept, body}, the answer and
// its bytes. The answer is a clone of what was read and not another look into the cache, which may
// change in between; it is not made anew, since that would lose the compiled code that the browser
// keeps with it.
async function verified(cache, path) {
  const kept = await cache.match(address(path), ANY);
  if (!kept) return null;
  if (kept.status === 200 && kept.type === "default" && !kept.url && sameHeaders(kept.headers, headersOf(path))) {
    const answer = kept.clone(),
      body = await kept.arrayBuffer();
    if (await matches(body, path)) return { kept: answer, body };
  }
  replaced.add(path);
  await cache.delete(address(path), ANY);
  return null;
}

function sameHeaders(found, written) {
  const [a, b] = [[...found], [...new Headers(written)]];
  return a.length === b.length && a.every(([name, value], i) => name === b[i][0] && value === b[i][1]);
}

const answerOf = (body, path) => new Response(body, { headers: headersOf(path) });

function headersOf(path) {
  const suffix = path.slice(path.lastIndexOf("."));
  return {
    ...BUILD.headers,
    "Content-Type": BUILD.types[path ? suffix : ".html"] ?? "application/octet-stream",
    "Content-Length": String(BUILD.files[path].bytes),
    "Accept-Ranges": "bytes",
    [CHECKSUM]: BUILD.files[path].sha256,
  };
}

// {version, files, kept, bytes: of those kept, problem: sentence or null, keeping, replaced: paths
// whose kept file was not the build's}
async function state() {
  const kept = new Set((await (await caches.open(CACHE)).keys()).map(({ url }) => url));
  const paths = Object.keys(BUILD.files);
  const there = paths.filter((path) => kept.has(address(path)));
  return {
    version: BUILD.version,
    files: paths.filter((path) => !later(path)).length,
    kept: there.filter((path) => !later(path)).length,
    bytes: there.reduce((sum, path) => sum + BUILD.files[path].bytes, 0),
    problem,
    keeping: keeping !== null,
    replaced: [...replaced],
  };
}

// ---- answering ----

self.addEventListener("fetch", (event) => {
  const { request } = event,
    url = new URL(request.url);
  if (
    !["GET", "HEAD"].includes(request.method) ||
    url.origin !== SCOPE.origin ||
    !url.pathname.startsWith(SCOPE.pathname)
  )
    return;
  const path = decoded(url.pathname.slice(SCOPE.pathname.length)).replace(/^index\.html$/, "");
  if (Object.hasOwn(BUILD.files, path)) event.respondWith(answer(event, path));
});

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function answer(event, path) {
  const { request } = event,
    range = request.headers.get("Range");
  const cache = await caches.open(CACHE);
  const begun = ahead.get(path);
  ahead.delete(path);
  let found = await (begun ?? verified(cache, path));
  if (path === "" && found)
    for (const each of FIRST)
      ahead.set(
        each,
        verified(cache, each).catch(() => null),
      );
  if (!found && replaced.has(path)) {
    // the host may have another version by now: then what it sends is the answer, and is not kept
    await keepOne(cache, path).catch(() => {});
    found = await verified(cache, path);
  }
  if (found) {
    const { kept, body } = found;
    if (request.method === "HEAD") return new Response(null, { headers: kept.headers });
    return range ? part(body, range, kept.headers) : kept;
  }
  if (later(path) && request.method === "GET" && !range) {
    const body = await fetch(request);
    if (body.ok) event.waitUntil(keepOne(cache, path).catch(() => {}));
    return isolated(body);
  }
  const reply = await fetch(request);
  return range ? reply : isolated(reply);
}

// What the host sent, with the headers that it may not have sent.
function isolated(reply) {
  if (!reply.status || reply.type.startsWith("opaque")) return reply; // a redirect that the browser follows itself
  const headers = new Headers(reply.headers);
  for (const [name, value] of Object.entries(BUILD.headers)) headers.set(name, value);
  return new Response([101, 204, 205, 304].includes(reply.status) ? null : reply.body, {
    status: reply.status,
    statusText: reply.statusText,
    headers,
  });
}

// One range of a kept file: wheels and texts are read in pieces.
function part(body, range, sent) {
  const size = body.byteLength;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  if (from === undefined) return new Response(body, { headers: sent });
  const start = Number(from),
    end = Math.min(to ? Number(to) + 1 : size, size);
  const headers = new Headers(sent);
  if (start >= end) {
    headers.set("Content-Range", `bytes */${size}`);
    headers.delete("Content-Length");
    return new Response(null, { status: 416, headers });
  }
  headers.set("Content-Range", `bytes ${start}-${end - 1}/${size}`);
  headers.set("Content-Length", String(end - start));
  return new Response(body.slice(start, end), { status: 206, headers });
}
