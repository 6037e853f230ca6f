// The service worker of a static build. The build writes BUILD before this: {version, files: {path: {sha256, bytes, later}}, types, headers}.
//
// Two things. It sends the isolation headers with the page and its workers, where the host does not: threads need them. And it keeps the
// page's files (each checked against its checksum), and answers from there: without a network too, and never with files of two versions.
//
// The first version takes hold at once, so that the page can be isolated, and keeps the files when the page asks ("keep"), after its start. A
// later one is whole before it waits, and takes over when the page says so or when no tab is left; only then the files before it go.
// Other origins, POST, and what is no file of the build pass through untouched.

const SCOPE = new URL(self.registration.scope);
const PREFIX = `tinygpt ${SCOPE.href} `; // other folders of the origin may have builds of their own
const CACHE = PREFIX + BUILD.version;
const CHECKSUM = "X-Checksum"; // of a kept file
const AT_ONCE = 6; // files on their way
const later = (path) => BUILD.files[path].later;
const address = (path) => new URL(path, SCOPE).href;

let keeping = null, problem = null;

self.addEventListener("install", (event) => {
  if (self.registration.active) event.waitUntil(keep());
  else self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  })());
});

// keep: {} starts keeping. state: answered with `state()`. replace: a waiting version takes over, unless other tabs are open: {others}.
self.addEventListener("message", (event) => {
  const { data, ports: [port] } = event;
  const act = {
    keep: () => keep().catch(() => {}),
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
  keeping ??= keepAll().then(() => (problem = null), (error) => {
    problem = error.name === "QuotaExceededError" ? "this browser gives it too little storage" : error.message;
    throw error;
  }).finally(() => (keeping = null));
  return keeping;
}

async function keepAll() {
  const cache = await caches.open(CACHE);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  const missing = Object.keys(BUILD.files).filter((path) => !later(path) && !kept.has(address(path)));
  const take = async () => {
    while (missing.length) await keepOne(cache, missing.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
}

async function keepOne(cache, path) {
  const url = address(path), { sha256 } = BUILD.files[path];
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === CACHE) continue;
    const before = await (await caches.open(name)).match(url);
    if (before?.headers.get(CHECKSUM) === sha256) return cache.put(url, answerOf(await before.arrayBuffer(), path));
  }
  const answer = await fetch(url, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${path || "index.html"} could not be fetched (${answer.status})`);
  const body = await answer.arrayBuffer();
  const found = [...new Uint8Array(await crypto.subtle.digest("SHA-256", body))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) throw new Error(`${path || "index.html"} on the host is not the file of this version`);
  await cache.put(url, answerOf(body, path));
}

function answerOf(body, path) {
  const suffix = path.slice(path.lastIndexOf("."));
  return new Response(body, { headers: {
    ...BUILD.headers, "Content-Type": BUILD.types[path ? suffix : ".html"] ?? "application/octet-stream", "Content-Length": body.byteLength,
    "Accept-Ranges": "bytes", [CHECKSUM]: BUILD.files[path].sha256,
  } });
}

// {version, files, kept, bytes: of those kept, problem: sentence or null, keeping}
async function state() {
  const kept = new Set((await (await caches.open(CACHE)).keys()).map(({ url }) => url));
  const paths = Object.keys(BUILD.files);
  const there = paths.filter((path) => kept.has(address(path)));
  return {
    version: BUILD.version, files: paths.filter((path) => !later(path)).length, kept: there.filter((path) => !later(path)).length,
    bytes: there.reduce((sum, path) => sum + BUILD.files[path].bytes, 0), problem, keeping: keeping !== null,
  };
}

// ---- answering ----

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (!["GET", "HEAD"].includes(request.method) || url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const path = decoded(url.pathname.slice(SCOPE.pathname.length)).replace(/^index\.html$/, "");
  const known = Object.hasOwn(BUILD.files, path);
  if (known || request.mode === "navigate") event.respondWith(answer(event, path, known));
});

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function answer(event, path, known) {
  const { request } = event, range = request.headers.get("Range");
  const cache = await caches.open(CACHE);
  const kept = known && await cache.match(address(path));
  if (kept) return request.method === "HEAD" ? new Response(null, { headers: kept.headers }) : range ? part(kept, range) : kept;
  if (known && later(path) && request.method === "GET" && !range) {
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
  return new Response([101, 204, 205, 304].includes(reply.status) ? null : reply.body, { status: reply.status, statusText: reply.statusText, headers });
}

// One range of a kept file: wheels and texts are read in pieces.
async function part(kept, range) {
  const body = await kept.arrayBuffer(), size = body.byteLength;
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  if (from === undefined) return new Response(body, { headers: kept.headers });
  const start = Number(from), end = Math.min(to ? Number(to) + 1 : size, size);
  const headers = new Headers(kept.headers);
  if (start >= end) {
    headers.set("Content-Range", `bytes */${size}`);
    headers.delete("Content-Length");
    return new Response(null, { status: 416, headers });
  }
  headers.set("Content-Range", `bytes ${start}-${end - 1}/${size}`);
  headers.set("Content-Length", String(end - start));
  return new Response(body.slice(start, end), { status: 206, headers });
}
